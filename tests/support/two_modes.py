"""The toy with two modes: pass an obstacle on the left or on the right, along a path that the observation sets.

``python tests/support/two_modes.py --head imf --seeds 0 1 2 -o rows.jsonl`` trains heads whose noise enters from zero, and the
same heads whose noise enters as torch's default makes it ("wide"): the shares of modes, and whether gradients spike.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, cast

import torch
from torch import Tensor, nn

from trunkzoo.api import load_recipe
from trunkzoo.bench.clock import cpu_threads
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.plugin import Contract
from trunkzoo_imf.config import DDIMConfig, FlowConfig, IMFConfig
from trunkzoo_imf.ddim import DDIMHead
from trunkzoo_imf.flow import FlowHead
from trunkzoo_imf.imf import IMFHead

Data = Callable[[Draws], tuple[Tensor, Tensor]]
"""Draws of B samples → condition (B, 1, 2) and chunk (B, H, A)."""
CHUNK = (4, 2)
LEFT = 0.3  # share of the first mode
WARM_UP, WINDOW = 30, 25
SIZE: dict[str, Any] = {"width": 64, "blocks": 1, "heads": 2, "time_tokens": 2}


def settings(recipe: str, *keys: str) -> dict[str, Any]:
    """Some of the settings of a recipe's head."""
    return {key: load_recipe(recipe).head.config[key] for key in keys}


ONE_STEP = settings("imf-resnet18", "output", "error_in", "weight_power", "times")


def contract(chunk: tuple[int, int]) -> Contract:
    """One condition vector of two numbers, and chunks of this shape."""
    return Contract(
        cameras=("front",), image_size=(8, 8), camera_dim=1, keypoints=1, state_dim=1, cond_dim=2, obs_horizon=1,
        pred_horizon=chunk[0], action_dim=chunk[1], num_action_steps=1,
    )  # fmt: skip


def train(head: nn.Module, data: Data, steps: int, batch: int, rate: float, seed: int = 0) -> list[float]:
    """AdamW with warm-up and cosine, as agents are trained → the norm of each step's gradient before it is clipped."""
    optimiser = torch.optim.AdamW(head.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0)
    cosine = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / WARM_UP) * (0.51 + 0.49 * math.cos(math.pi * step / steps))
    )
    norms = []
    for step in range(steps):
        draws = Draws(sample_seeds(seed, step, torch.arange(batch)))
        cond, chunk = data(draws)
        loss = head(cond, chunk, torch.ones(chunk.shape[:2], dtype=torch.bool), draws)["loss"]
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        norms.append(float(nn.utils.clip_grad_norm_(head.parameters(), 1.0)))
        optimiser.step()
        cosine.step()
    return norms


@torch.no_grad()
def sampled(head: Any, cond: Tensor, chunk: tuple[int, int]) -> Tensor:
    """A chunk for each condition, from noise that is the same for all heads."""
    noise = torch.randn(len(cond), *chunk, generator=torch.Generator().manual_seed(5))
    return torch.as_tensor(head.sample(cond, noise))


def path(observed: Tensor) -> Tensor:
    """The first mode's chunk (B, 4, 2) for observations (B,) in [0, 1]; the second mode is its mirror image."""
    phase = torch.arange(1, 5) / 5 * math.pi + observed[:, None]
    return 0.6 * torch.stack([phase.sin(), phase.cos()], dim=-1)


def two_modes(draws: Draws) -> tuple[Tensor, Tensor]:
    """Conditions (B, 1, 2) and chunks (B, 4, 2), three in ten of them of the first mode."""
    observed = draws.uniform()
    side = torch.where(draws.uniform() < LEFT, 1.0, -1.0)
    chunk = side[:, None, None] * path(observed) + 0.03 * draws.normal(*CHUNK)
    return torch.stack([observed, torch.ones_like(observed)], dim=-1)[:, None], chunk


def held_out() -> tuple[Tensor, Tensor]:
    """2000 conditions and chunks that no training sees."""
    return two_modes(Draws(sample_seeds(1, torch.arange(2000))))


def distances(head: nn.Module) -> Tensor:
    """Root mean square distance of samples from the smaller and the larger mode: (2, 2000)."""
    cond, _ = held_out()
    chunk, mode = sampled(head, cond, CHUNK), path(cond[:, 0, 0])
    return torch.stack([(chunk - side * mode).flatten(1).norm(dim=1) for side in (1, -1)]) / math.sqrt(8)


def smaller_share(head: nn.Module) -> float:
    """Share of samples that are nearer to the smaller mode."""
    first, second = distances(head)
    return float((first < second).float().mean())


def near_a_mode(head: nn.Module) -> float:
    """Share of samples within 0.15: the modes are 0.85 apart per number, their middle 0.42."""
    return float((distances(head).amin(0) < 0.15).float().mean())


@contextmanager
def evaluations(head: Any, steps: int) -> Iterator[None]:
    """The head with so many evaluations of its network per chunk."""
    own, head.config = head.config, head.config.model_copy(update={"sample_steps": steps})
    yield
    head.config = own


# ── The way of the noise into the network ───────────────────────────────────────────────────────────────────────────


def imf_head(**changed: object) -> IMFHead:
    """The recipes' head in the toy's size."""
    return IMFHead(IMFConfig.model_validate(ONE_STEP | SIZE | changed), contract(CHUNK))


def flow_head() -> FlowHead:
    """The recipe's flow matching in the toy's size."""
    own = settings("flow-resnet18-demo", "output", "error_in", "times")
    return FlowHead(FlowConfig.model_validate(own | SIZE), contract(CHUNK))


def ddim_head() -> DDIMHead:
    """Denoising diffusion of the clean chunk."""
    return DDIMHead(DDIMConfig.model_validate({"prediction": "sample"} | SIZE), contract(CHUNK))


HEADS: dict[str, Callable[[], nn.Module]] = {"imf": imf_head, "flow": flow_head, "ddim": ddim_head}


def begun(build: Callable[[], nn.Module], seed: int = 0, wide: bool = False) -> nn.Module:
    """A head with the initial values of ``seed``; ``wide`` lets the noise enter as torch's default makes it."""
    torch.manual_seed(seed)
    head = build()
    if wide:
        torch.manual_seed(seed + 1)
        cast(Any, head).network.action_in.reset_parameters()
    return head


def learn(head: nn.Module, seed: int = 0) -> list[float]:
    """800 steps on the two modes → the norm of each step's gradient."""
    return train(head, two_modes, steps=800, batch=128, rate=5e-3, seed=seed)


def spike(norms: list[float]) -> float:
    """The largest norm after warm-up, relative to the median of the 25 before and the 25 after it."""
    return max(
        norms[at] / median(norms[at - WINDOW : at] + norms[at + 1 : at + 1 + WINDOW])
        for at in range(WARM_UP + WINDOW, len(norms))
    )


def row(name: str, wide: bool, seed: int) -> dict[str, Any]:
    """One training: modes at one and at ten evaluations, and its gradients after warm-up."""
    head, start = begun(HEADS[name], seed, wide), time.process_time()
    norms = learn(head, seed)
    found: dict[str, Any] = {"head": name, "entry": "wide" if wide else "zero", "seed": seed}
    found["cpu"] = round(time.process_time() - start, 1)
    for steps in (1, 10):
        with evaluations(head, steps):
            found[f"smaller_{steps}"] = round(smaller_share(head), 4)
            found[f"near_{steps}"] = round(near_a_mode(head), 4)
    late = norms[WARM_UP:]
    found |= {"grad_norm_median": median(late), "grad_norm_max": max(late), "grad_norm_spike": spike(norms)}
    return found


def main() -> None:
    """Train every asked head and seed, both ways; one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", choices=HEADS, nargs="+", default=list(HEADS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("-o", "--out", type=Path, help="add a row for each training to this file")
    options = parser.parse_args()
    with cpu_threads(1):
        for seed in options.seeds:
            for name in options.head:
                for wide in (False, True):
                    line = json.dumps(row(name, wide, seed))
                    print(line, flush=True)
                    if options.out:
                        with options.out.open("a", encoding="utf-8") as rows:
                            rows.write(line + "\n")


if __name__ == "__main__":
    main()
