"""Measure time and peak memory of a callable on a CPU or a GPU, so that a busy machine does not decide the result.

On a CPU, time is this process's CPU time; on a GPU, wall time between synchronisations. Several candidates are timed in
turns (A B A B) and compared by medians, so that a drift of the machine meets all of them.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

Work = Callable[[], object]


def elapsed(work: Work, device: torch.device, repeats: int = 1) -> float:
    """Seconds per call of ``work``."""
    now = time.process_time if device.type == "cpu" else time.perf_counter
    _wait(device)
    start = now()
    for _ in range(repeats):
        work()
    _wait(device)
    return (now() - start) / repeats


def in_turns(candidates: Mapping[str, Work], device: torch.device, rounds: int, repeats: int = 1) -> dict[str, float]:
    """Median seconds per call of each candidate over ``rounds`` rounds, after one round of warm-up."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, work in candidates.items():
            seconds = elapsed(work, device, repeats)
            if number:
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Run the body with this many threads of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def peak_bytes(work: Work, device: torch.device) -> int:
    """Peak tensor memory of one call of ``work`` beyond what was allocated before it, in bytes."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    return _peak_on_cpu(work)


def _peak_on_cpu(work: Work) -> int:
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler announces itself on stderr otherwise
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    events = profile.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    held = peak = 0
    for _, change in changes:
        held += change
        peak = max(peak, held)
    return peak


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
