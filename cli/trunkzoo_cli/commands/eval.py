"""``zoo eval``: roll out a policy and report its success and reward."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.completion import complete_policy, complete_run, complete_task
from trunkzoo_cli.options import MAX_COUNT, MAX_EPISODES, MAX_SEED, JsonOption, assigned
from trunkzoo_cli.output import emit_json, emit_table, note, say, write_page

if TYPE_CHECKING:
    from trunkzoo.catalogue.catalogue import Catalogue
    from trunkzoo.catalogue.part import Part
    from trunkzoo.rollouts import Evaluation


def evaluate(
    acting: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|CKPT|EXPORT|POLICY",
            help="A run directory, a checkpoint, a model.safetensors, an export, hf:ORG/NAME, or a policy such as lerobot:PATH.",
            autocompletion=complete_run,
        ),
    ] = None,
    episodes: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--episodes",
            min=1,
            max=MAX_EPISODES,
            help="Episodes, one seed each. (default: 50, or all of --seeds)",
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="A:B", help="Seeds A…B−1 instead of the first fresh report seeds.")
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            metavar="POLICY",
            help="agent; blind = on blanked images; noop, random, expert; or any of `zoo list --kind policy`.",
            autocompletion=complete_policy,
        ),
    ] = "agent",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the policy, e.g. python=PATH; may be repeated."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="The task of a policy without a checkpoint of trunkzoo.",
            autocompletion=complete_task,
        ),
    ] = None,
    floors: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Episodes of each floor and of the expert beside it; 0 = none."),
    ] = 20,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes, one environment each; no result depends on it. (default: cores)"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Rows (JSON lines); an existing file is continued."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Play part I of N (1/N to N/N) into a file of its own, without floors."),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Join the files of all shards, checked, instead of playing; then the table.")
    ] = False,
    video: Annotated[
        int, typer.Option(min=0, max=MAX_COUNT, metavar="K", help="Film the first K episodes (mp4, beside the rows).")
    ] = 0,
    live: Annotated[
        bool, typer.Option("--live", help="Show what the cameras see in this terminal while episodes run.")
    ] = False,
    max_steps: Annotated[
        int | None, typer.Option(min=1, max=MAX_COUNT, help="Step cap. (default: the task's own)")
    ] = None,
    noise_seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Base of the policy noise.")] = 0,
    num_action_steps: Annotated[
        int | None,
        typer.Option(min=1, help="Actions of each chunk that an agent executes. (default: as its recipe says)"),
    ] = None,
    device: Annotated[str, typer.Option(help="Where the agent runs, e.g. cpu or cuda.")] = "cpu",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a self-contained HTML report with films and pictures.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Roll out an agent or another policy, and report success with a Wilson interval and average reward.

    Every episode is a function of its seed (environment and policy noise), so any number of workers gives equal rows.
    Rows are written as episodes end: after Ctrl-C the same command continues. What acts is shown between its floors (itself
    on blanked images, no-op, random) and the expert.

    Policies of other packages act through plugins, as NAME:ARGUMENT: `zoo show lerobot` says what that one takes.

    On several machines, or in a job array: the same command with --shard 1/8 to 8/8, and then once with --merge. Without
    either it then goes on from the joined rows, with floors, films and report.

    Examples: zoo eval runs/imf --episodes 200 --workers 2 --video 4
              zoo eval runs/imf --episodes 200 --shard 3/8
              zoo eval runs/imf --live --workers 1
              zoo eval --policy expert --task two-arm-lift -n 20 -o expert.jsonl
              zoo eval lerobot:outputs/act --task two-arm-lift --set python=lerobot/bin/python
    """
    from trunkzoo.catalogue.part import Part
    from trunkzoo.registry import open_zoo
    from trunkzoo.rollouts import Evaluation, plan, run
    from trunkzoo.rollouts.floors import floors_of
    from trunkzoo.rollouts.progress import EvaluationBar
    from trunkzoo.rollouts.references import REFERENCES
    from trunkzoo.rollouts.shards import merge as merge_shards
    from trunkzoo.rollouts.shards import parse_shard

    if live:
        _require_terminal()
    part, catalogue = Part(name=task) if task else None, open_zoo().catalogue
    acts, checkpoint = _acting(catalogue, acting, policy, set_)
    where = "cpu" if merge else device  # nothing acts in a merge: a login node has no GPU
    planned = plan(
        catalogue,
        acts,
        checkpoint,
        part,
        max_steps,
        noise_seed,
        where,
        blind=policy == "blind",
        num_action_steps=num_action_steps,
    )
    chosen = seeds_of(seeds, episodes)
    file = out or planned.default_file
    if shard is not None or merge:
        file = _require_whole(file, shard, merge, bool(video or report))
    if shard is not None and file is not None:
        chosen, file = parse_shard(shard).of(chosen, file)
    evaluation = Evaluation(planned, chosen, file, _films(file, video), video, live)
    alone = shard is not None or merge or not floors or planned.job.policy in ("blind", *REFERENCES)
    beside = [] if alone else floors_of(evaluation, catalogue, floors)
    processes = workers or len(os.sched_getaffinity(0))  # in a container fewer than the machine has
    if merge and file:
        evaluation = merge_shards(planned, chosen, file)
    for batch in () if merge else ([evaluation], beside):
        with EvaluationBar(planned.job.task.name, batch) as bar:
            run(batch, processes, bar.on_row, on_frame=bar.on_frame)
    if evaluation.resumed and not merge:
        note(f"{evaluation.resumed} of {len(chosen)} episodes were in {file} already")
    if json:
        emit_json({**_to_dict(evaluation), "floors": {each.plan.job.policy: _to_dict(each) for each in beside}})
    else:
        _show(evaluation, beside)
    if report:
        from trunkzoo.report.eval_page import write_eval_page

        write_page("the report", report, lambda: write_eval_page(evaluation, beside, catalogue, report))
        note(f"report is in {report}")


def _acting(
    catalogue: Catalogue, acting: str | None, policy: str, settings: list[str] | None
) -> tuple[str | Part, Path | None]:
    """What acts, and the checkpoint it acts by, or that only names the task of a policy."""
    from trunkzoo.checkpoint.layout import why_this_one
    from trunkzoo.errors import UsageError
    from trunkzoo.rollouts.named import AGENTS, contender, named_policy

    by_agent, values = policy in AGENTS, assigned(settings)
    if acting is None:
        if by_agent and values:
            raise UsageError("--set is for the settings of a policy, and none is named; give one, such as lerobot:PATH")
        return (policy if by_agent else named_policy(catalogue, policy, values)), None
    found = contender(catalogue, acting, values if by_agent else None)
    if found.checkpoint is None and not by_agent:
        raise UsageError(f"{acting} and --policy {policy} both say what acts; name one of them")
    if not by_agent:
        return named_policy(catalogue, policy, values), found.checkpoint
    if found.checkpoint is None:
        return found.policy, None
    if why := why_this_one(found.checkpoint):
        note(why)
    return policy, found.checkpoint


def _require_terminal() -> None:
    from trunkzoo.errors import UsageError
    from trunkzoo.system.progress import drawn

    if not drawn():
        raise UsageError("--live draws in a terminal, and stderr is none; --video K films K episodes instead")


def _require_whole(file: Path | None, shard: str | None, merge: bool, pictures: bool) -> Path:
    """The file of the whole evaluation, beside which those of its shards lie."""
    from trunkzoo.errors import UsageError

    if file is None:
        raise UsageError("shards need a file, beside which theirs lie: -o FILE")
    if pictures or (shard is not None and merge):
        raise UsageError("--shard only plays and --merge only joins; films, pages and floors: then without either")
    return file


def seeds_of(text: str | None, episodes: int | None) -> range:
    """The seeds of ``--seeds`` and ``--episodes``."""
    from trunkzoo.errors import UsageError
    from trunkzoo.rollouts.seeds import REPORT_SEEDS, parse_seeds, purpose_of

    if text is None:
        return REPORT_SEEDS[: episodes or 50]
    seeds = parse_seeds(text)
    if episodes is not None and episodes > len(seeds):
        raise UsageError(f"--episodes {episodes}: --seeds {text} holds {len(seeds)} seeds only; widen it or drop one")
    if purpose := purpose_of(seeds[:episodes]):
        note(f"seeds {text} {purpose}: a score on them is not one on fresh seeds")
    return seeds[:episodes]


def _films(file: Path | None, video: int) -> Path | None:
    if not video:
        return None
    return file.with_suffix("") if file else Path("films")


def _to_dict(evaluation: Evaluation) -> dict[str, Any]:
    from trunkzoo.rollouts.scores import summary_of

    return {
        "summary": summary_of(evaluation.ordered).to_dict(),
        "latency_ms": evaluation.latency_ms,
        "file": str(evaluation.file) if evaluation.file else None,
        "rows": evaluation.ordered,
    }


def _show(evaluation: Evaluation, beside: list[Evaluation]) -> None:
    job = evaluation.plan.job
    columns = ("policy", "episodes", "success (95 %)", "average reward (95 %)", "median", "IQM", "latency per chunk")
    seeds = f"seeds {evaluation.seeds[0]}–{evaluation.seeds[-1]}, {job.max_steps} steps each"
    emit_table(columns, [_cells(each) for each in (evaluation, *beside)], title=f"{job.task.name}, {seeds}")
    say(f"success = {evaluation.plan.provenance['success_rule']}")
    if evaluation.file:
        note(f"rows are in {evaluation.file}")
    if evaluation.films:
        note(f"films are in {evaluation.films}")


def _cells(evaluation: Evaluation) -> tuple[str, ...]:
    from trunkzoo.rollouts.scores import summary_of

    summary = summary_of(evaluation.ordered)
    return (
        evaluation.plan.label,
        str(summary.episodes),
        f"{summary.successes}/{summary.episodes} = {summary.success.text()}",
        summary.reward_mean.text(3),
        f"{summary.reward_median.value:.3f}",
        f"{summary.reward_iqm.value:.3f}",
        f"{evaluation.latency_ms:.1f} ms" if evaluation.latency_ms else "–",
    )
