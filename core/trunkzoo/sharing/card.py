"""The model card: a README.md of an agent's facts, what is not known among them. Nothing in it is judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from trunkzoo.rollouts.scores import summary_of
from trunkzoo.sharing.facts import AgentFacts

_NAMES = {
    "agent": "this agent",
    "blind": "this agent on black images (floor)",
    "noop": "no motion (floor)",
    "random": "random actions (floor)",
    "expert": "scripted expert (ceiling)",
}


def agent_card(facts: AgentFacts, repo: str, licence: str | None) -> str:
    """The text of README.md: YAML that the hub reads, then Markdown."""
    from huggingface_hub import ModelCardData

    recipe = facts.header.recipe
    parts = [use.id for use in facts.header.plugins]
    tags = ["trunkzoo", "robotics", "imitation-learning", *(part.partition("/")[2] or part for part in parts)]
    data = ModelCardData(license=licence, library_name="trunkzoo", pipeline_tag="robotics", tags=tags)
    sections = {
        "Use": _use(repo),
        "Results": _results(facts),
        "Contract": _contract(facts),
        "Recipe": _recipe(facts),
        "Data and budget": _training(facts),
        "What is not known": _unknown(facts, licence),
        "Files": _files(facts),
    }
    body = "\n".join(f"## {title}\n\n{text}\n" for title, text in sections.items())
    summary = str(recipe.get("summary") or "")
    title = f"# {repo.partition('/')[2]}\n\nAn agent of trunkzoo: recipe `{recipe['name']}`"
    return f"---\n{data.to_yaml()}\n---\n\n{title}{f', {_escaped(summary)}' if summary else ''}.\n\n{body}"


def _use(repo: str) -> str:
    return (
        f"```bash\npip install 'trunkzoo[hub]'\nzoo inspect hf:{repo}\nzoo eval hf:{repo}\n```\n\n"
        f'```python\nimport trunkzoo\n\nagent = trunkzoo.load_agent("hf:{repo}")  # .act(observation), .reset()\n```'
    )


def _results(facts: AgentFacts) -> str:
    if not facts.rows:
        return "No evaluation lies beside these weights."
    first = next(iter(facts.rows.values()))[0]
    table = _table(
        ("policy", "episodes", "success (95 % interval)", "average reward (95 % interval)"),
        [(_NAMES[policy], *_scores(rows)) for policy, rows in facts.rows.items()],
    )
    rule = f"Task `{first['task']}`, {first['max_steps']} steps each. Success: {_escaped(str(first['success_rule']))}."
    return f"{rule}\n\n{table}\n\nIntervals of success are Wilson's, of rewards the bootstrap's; they speak of this one training."


def _scores(rows: Sequence[dict[str, Any]]) -> tuple[str, str, str]:
    found = summary_of(rows)
    return (
        str(found.episodes),
        f"{found.successes}/{found.episodes} = {found.success.text()}",
        found.reward_mean.text(3),
    )


def _contract(facts: AgentFacts) -> str:
    contract = facts.header.contract
    height, width = contract.image_size
    return _table(
        ("what", "value"),
        [
            ("cameras", ", ".join(f"`{camera}`" for camera in contract.cameras)),
            ("image size", f"{height} × {width} pixels, RGB"),
            ("state → action", f"{contract.state_dim} → {contract.action_dim} dimensions, raw units of the data"),
            (
                "horizons",
                f"{contract.obs_horizon} observed, {contract.pred_horizon} predicted, {contract.num_action_steps} executed",
            ),
            ("condition", contract.sum_line()),
        ],
    )


def _recipe(facts: AgentFacts) -> str:
    rows = []
    for use in facts.header.plugins:
        config = facts.header.recipe.get(use.kind, {}).get("config", {})
        settings = ", ".join(f"{key} = {value}" for key, value in config.items())
        rows.append((use.kind, f"`{use.id}`", f"{use.distribution} {use.version}", _escaped(settings)))
    numbers = f"{facts.header.numbers:,} numbers in `model.safetensors`, whose header has the whole recipe."
    return f"{_table(('part', 'name', 'package', 'settings'), rows)}\n\n{numbers}"


def _training(facts: AgentFacts) -> str:
    train, run = facts.header.recipe.get("train", {}), facts.run
    rows = [
        ("optimiser steps", f"{facts.header.step:,} of {train.get('steps', 0):,}"),
        ("batch size", train.get("batch_size", "?")),
        ("learning rate", train.get("lr", "?")),
    ]
    if run:
        source = run["data"].get("source", {})
        windows = int(run["data"]["content"]["windows"])
        rows += [
            ("training windows", f"{windows:,}, seen {_passes(facts, windows)} times each on average"),
            ("data", f"task {source.get('task') or 'unknown'}, {source.get('fps', '?')} Hz"),
            ("seed", run["seed"]),
            ("machine", ", ".join(sorted({str(each.get("device")) for each in run["sessions"]}))),
        ]
        if start := run.get("start"):
            rows.append(
                ("started from", f"{', '.join(start['parts'])} of {start['recipe']}, SHA-256 `{start['sha256']}`")
            )
    if facts.holdout_error is not None:
        rows.append(("held-out action error", f"{facts.holdout_error:.4g}, in normalised units"))
    return _table(("what", "value"), rows)


def _passes(facts: AgentFacts, windows: int) -> str:
    seen = facts.header.step * int(facts.header.recipe["train"]["batch_size"])
    return f"{seen / max(windows, 1):.3g}"


def _unknown(facts: AgentFacts, licence: str | None) -> str:
    rows, lines = facts.rows, []
    if "agent" not in rows:
        lines.append("How well it acts: no evaluated episode lies beside these weights.")
    elif absent := [_NAMES[policy] for policy in _NAMES if policy not in rows]:
        lines.append(f"How the task looks without it: not evaluated were {', '.join(absent)}.")
    if facts.header.recipe.get("task"):
        lines.append("How it acts on a real robot: all that is told here is of a simulator.")
    if not facts.run:
        lines.append("What it was trained on and for how long: its run was not at hand.")
    elif facts.holdout_error is None:
        lines.append("Its error on episodes that training did not see: none were held out.")
    lines.append("How much another training seed would differ: this is one training.")
    if licence is None:
        lines.append("Under which licence it may be used: none was stated.")
    return "\n".join(f"- {line}" for line in lines)


def _files(facts: AgentFacts) -> str:
    return (
        f"`model.safetensors` has SHA-256 `{facts.sha256}`; `manifest.json` has the checksum that loading checks; "
        "`provenance.json` and `rows/` are what the tables above were made of. Nothing here is pickled."
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    cells = [[str(cell).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _escaped(text: str) -> str:
    """Text of somebody's as one line of Markdown that shows it and does nothing else."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|" else sign for sign in " ".join(text.split()))
