"""The speed table of the trunks: each row one ratio measured in turns in this process, beside what it must reach.

    python benchmarks/trunks_speed.py [--device cpu] [--rounds 5] [--compiled] [--only mix]

Times are CPU time of one thread (wall time on a GPU); run it on a machine whose caches nobody else fills.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from trunkzoo.agent.assemble import build_trunk
from trunkzoo.bench.clock import Work, in_turns, peak_bytes
from trunkzoo.bench.trunks import LATENCY_REPEATS, evaluation, measure, parse_trunk, train_step
from trunkzoo.nn.depth import depth_mix
from trunkzoo.registry import open_zoo

SIZE, BATCH = 96, 32
MAP = (16, 24, 24, 64)  # the map of the mix rows: 16 images, 24 × 24 cells, 64 channels


class Row(NamedTuple):
    """One line of the table; ``goal`` None means: reported, no bound."""

    what: str
    ratio: float
    goal: float | None


class PlainBlock(nn.Module):
    """ResNet's basic block as a tutorial would write it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        projection = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = projection if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu_(self.bn1(self.conv1(x)))
        return torch.relu_(self.bn2(self.conv2(y)) + self.shortcut(x))


def plain_resnet18() -> nn.Sequential:
    """ResNet-18 written plainly in torch, batch norm."""
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
    widths = [64, 64, 128, 256, 512]
    blocks = [
        block
        for i in range(4)
        for block in (PlainBlock(widths[i], widths[i + 1], 1 + (i > 0)), PlainBlock(widths[i + 1], widths[i + 1], 1))
    ]
    return nn.Sequential(*stem, *blocks)


def trunk(name: str, device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    return channels_last(
        cast(nn.Module, build_trunk(open_zoo().catalogue.configure("trunk", parse_trunk(name)))), device
    )


def channels_last(module: nn.Module, device: torch.device) -> nn.Module:
    moved: nn.Module = module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stub
    return moved


def images(n: int, device: torch.device) -> Tensor:
    return torch.randn(n, 3, SIZE, SIZE, device=device).contiguous(memory_format=torch.channels_last)


def plain_rows(device: torch.device, rounds: int) -> Iterator[Row]:
    """Our ResNet-18 beside the plain one."""
    pair = {"ours": trunk("resnet-18", device), "plain": channels_last(plain_resnet18(), device)}
    batch = images(BATCH, device)
    kinds: dict[str, Callable[[nn.Module, Tensor], Work]] = {"forward": evaluation, "train step": train_step}
    for what, work in kinds.items():
        times = in_turns({name: work(module, batch) for name, module in pair.items()}, device, 2 * rounds)
        yield Row(f"resnet-18 / plain torch, {what}", times["ours"] / times["plain"], 1.02)


def trunk_rows(device: torch.device, rounds: int) -> Iterator[Row]:
    """The families beside ResNet-18 with group norm."""
    names = ["resnet-18,norm=group", "attnres-conv-18", "attnres-conv-deep", "attnres-hybrid", "attnres-tokens"]
    first, conv18, *others = measure({name: trunk(name, device) for name in names}, SIZE, BATCH, device, rounds)
    ratios = conv18.ratios(first)
    yield Row("attnres-conv-18 / resnet-18, train step", ratios["train_step"], 1.12)
    yield Row("attnres-conv-18 / resnet-18, batch 1", ratios["latency"], 1.20)
    yield Row("attnres-conv-18 / resnet-18, peak training memory", ratios["peak_bytes"], 1.15)
    for row in others:
        yield Row(f"{row.name} / resnet-18, train step", row.ratios(first)["train_step"], None)


def compiled_rows(device: torch.device, rounds: int) -> Iterator[Row]:
    """Both trunks compiled, one image."""
    one = images(1, device)
    works = {
        name: evaluation(cast(nn.Module, torch.compile(trunk(name, device), fullgraph=True)), one)
        for name in ("resnet-18,norm=group", "attnres-conv-18")
    }
    times = in_turns(works, device, 2 * rounds, LATENCY_REPEATS)
    ratio = times["attnres-conv-18"] / times["resnet-18,norm=group"]
    yield Row("attnres-conv-18 / resnet-18, batch 1, compiled", ratio, 1.05)


Chain = Callable[[Sequence[Tensor], Sequence[Tensor]], list[Tensor]]


def add_chain(_: Sequence[Tensor], values: Sequence[Tensor]) -> list[Tensor]:
    """Additive residuals: h_l = h_{l-1} + v_{l-1}."""
    found = [values[0]]
    for v in values[1:]:
        found.append(found[-1] + v)
    return found


def mix_chain(queries: Sequence[Tensor], values: Sequence[Tensor]) -> list[Tensor]:
    """Every read of a stage: h_1 … h_L; the first has one source and is that source, as in the trunks."""
    return [values[0], *(depth_mix(queries[i], values[: i + 1], fused=True) for i in range(1, len(values)))]


def naive_chain(queries: Sequence[Tensor], values: Sequence[Tensor]) -> list[Tensor]:
    """The formula as one would write it down: stack, normalise, weigh."""
    found = [values[0]]
    for i, query in enumerate(queries[1:], start=1):
        stacked = torch.stack(list(values[: i + 1]))
        keys = stacked * torch.rsqrt(stacked.square().mean(-1, keepdim=True) + 1e-5)
        weights = torch.einsum("lnhwc,c->lnhw", keys, query).softmax(0)
        found.append(torch.einsum("lnhw,lnhwc->nhwc", weights, stacked))
    return found


def chain_work(chain: Chain, length: int, device: torch.device) -> Work:
    """Forward and backward of a stage of ``length`` sources."""
    values = [torch.randn(*MAP, device=device, requires_grad=True) for _ in range(length)]
    queries = [(0.1 * torch.randn(MAP[-1], device=device)).requires_grad_() for _ in range(length)]
    gradients = [torch.randn(*MAP, device=device) for _ in range(length)]

    def work() -> None:
        torch.autograd.backward(chain(queries, values), gradients)
        for leaf in (*values, *queries):
            leaf.grad = None

    return work


def mix_rows(device: torch.device, rounds: int, compiled: bool) -> Iterator[Row]:
    """The mix beside the additions it replaces."""
    chains: Mapping[str, Chain] = {"add": add_chain, "eager": mix_chain, "naive": naive_chain}
    if compiled:
        chains = {**chains, "compiled": cast(Chain, torch.compile(mix_chain, fullgraph=True))}
    works = {name: chain_work(chain, 5, device) for name, chain in chains.items()}
    times = in_turns(works, device, 2 * rounds, repeats=4)
    for name in times.keys() - {"add"}:
        yield Row(f"mix / add chain, L = 5, {name}", times[name] / times["add"], 3.5 if name == "compiled" else None)
    one_map = 4 * torch.Size(MAP).numel()
    for name, goal in (("eager", 25.0), ("naive", None)):
        maps = peak_bytes(chain_work(chains[name], 8, device), device) / one_map
        yield Row(f"training memory of the mix, L = 8, in maps, {name}", maps, goal)


def keep_freed_memory() -> None:
    """Tell glibc to keep what is freed: otherwise the chance of a heap top decides which candidate pays page faults.

    A stage of additions takes 1.7 ms without faults and up to twice that with them.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL("libc.so.6")
        for option in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            libc.mallopt(option, 1 << 30)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compiled", action="store_true", help="also the compiled rows: minutes of compilation")
    parser.add_argument("--only", choices=["plain", "trunk", "mix", "compiled"], help="one group of rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    device, rounds = torch.device(options.device), options.rounds
    groups: dict[str, Callable[[], Iterator[Row]]] = {
        "plain": lambda: plain_rows(device, rounds),
        "trunk": lambda: trunk_rows(device, rounds),
        "mix": lambda: mix_rows(device, rounds, options.compiled),
        "compiled": lambda: compiled_rows(device, rounds) if options.compiled else iter([]),
    }
    for name, rows in groups.items():
        for row in rows() if options.only in (None, name) else ():
            verdict = "" if row.goal is None else f"must be ≤ {row.goal:g}: {'yes' if row.ratio <= row.goal else 'NO'}"
            print(f"{row.what:56} {row.ratio:8.3f}  {verdict}", flush=True)


if __name__ == "__main__":
    main()
