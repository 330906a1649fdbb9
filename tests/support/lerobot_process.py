"""Run lerobot's own commands inside this process, whose imports cost more than the small runs of the tests."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

SMALL = ("--policy.device=cpu", "--num_workers=0", "--batch_size=4", "--log_freq=1", "--wandb.enable=false")


def lerobot_train(*arguments: str) -> None:
    """``lerobot-train`` with these arguments."""
    from accelerate.state import AcceleratorState
    from lerobot.scripts.lerobot_train import main

    try:
        with patch.object(sys, "argv", ["lerobot-train", *arguments]):
            main()
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)


def train_on(data: Path, out: Path, *arguments: str, steps: int = 2) -> Path:
    """Train the policy ``trunkzoo`` for a few steps, a checkpoint every second one; returns its newest folder."""
    where = (f"--dataset.root={data}", "--dataset.repo_id=local/data", f"--output_dir={out}")
    lerobot_train("--policy.type=trunkzoo", *arguments, *SMALL, *where, f"--steps={steps}", "--save_freq=2")
    return out / "checkpoints" / "last" / "pretrained_model"


def lerobot_eval(policy: Path, out: Path, *arguments: str) -> dict[str, list[Any]]:
    """``lerobot-eval``: its ``sum_rewards`` and ``successes``, an entry for each episode."""
    from lerobot.scripts.lerobot_eval import main

    own = (f"--policy.path={policy}", "--policy.device=cpu", f"--output_dir={out}", "--eval.batch_size=1")
    with patch.object(sys, "argv", ["lerobot-eval", *own, *arguments]):
        main()
    info = json.loads((out / "eval_info.json").read_text(encoding="utf-8"))
    metrics: dict[str, list[Any]] = info["per_task"][0]["metrics"]
    return metrics
