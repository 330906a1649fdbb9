"""The card of a dataset: a README.md of its facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def dataset_card(facts: Mapping[str, Any], repo: str, licence: str | None) -> str:
    """The text of README.md from what :func:`trunkzoo.data.summary.dataset_facts` gives."""
    from huggingface_hub import DatasetCardData

    data = DatasetCardData(license=licence, task_categories=["robotics"], tags=["LeRobot", "trunkzoo", "robotics"])
    features = "\n".join(
        f"| `{key}` | {each['dtype']} | {' × '.join(str(n) for n in each['shape'])} |"
        for key, each in facts["features"].items()
    )
    lengths = facts["episode_lengths"]
    return (
        f"---\n{data.to_yaml()}\n---\n\n# {repo.partition('/')[2]}\n\n"
        f"Demonstrations in the LeRobot v3 format: {facts['episodes']} episodes, {facts['frames']:,} frames at "
        f"{facts['fps']:g} Hz, {lengths['min']} to {lengths['max']} frames each. Tasks: {'; '.join(facts['tasks'])}.\n\n"
        f"| feature | type | shape |\n|---|---|---|\n{features}\n\n"
        f"```bash\nzoo data info hf:{repo}\n```\n"
        + ("" if licence else "\nUnder which licence it may be used is not known: none was stated.\n")
    )
