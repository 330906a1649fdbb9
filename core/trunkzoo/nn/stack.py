"""Depth mixing for a stack of sublayers: the module that trunks and heads put where residual additions were.

sources = self.mix.start(x)
for sublayer in self.sublayers:
    sources.append(sublayer(self.mix(sources)))
return self.mix(sources)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from trunkzoo.nn.depth import depth_mix, depth_weights
from trunkzoo.nn.depth_terms import weighted_sum
from trunkzoo.nn.mixing import Mixing
from trunkzoo.nn.norms import rms_normalise


class Sources:
    """What a stack has produced so far, grouped as its mixing reads it; ``read`` counts the appended outputs."""

    def __init__(self, first: Sequence[Tensor], group: int) -> None:
        self.values = list(first)
        self.read = 0
        self._group = group  # outputs per source; 0 sums everything into one

    def append(self, output: Tensor) -> None:
        """Add a raw sublayer output: a source of its own, or one more term of the open block."""
        if self._group and self.read % self._group == 0:
            self.values.append(output)
        else:
            self.values[-1] = self.values[-1] + output  # out of place: the old sum is saved for backward
        self.read += 1


class Query(nn.Module):
    """One read with pseudo-query w, plus an optional low-rank term of the newest source."""

    def __init__(self, channels: int, rank: int, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.query = nn.Parameter(torch.zeros(channels))  # zero: uniform weights at the start
        self.down = nn.Parameter(torch.randn(rank, channels) * channels**-0.5) if rank else None
        self.up_query = nn.Parameter(torch.zeros(channels, rank)) if rank else None

    def forward(self, newest: Tensor) -> Tensor:
        """w, or w + U D RMSNorm(newest) at every position (the paper's input-dependent query, at low rank)."""
        if self.down is None or self.up_query is None:
            return self.query
        x = rms_normalise(newest, self.dim).movedim(self.dim, -1)  # (…, C)
        return (self.query + (x @ self.down.T) @ self.up_query.T).movedim(-1, self.dim)  # (…, C) → (…, rank) → (…, C)


class Static(nn.Module):
    """Learned weights that ignore the input: softmax of ``n`` logits."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.static_query = nn.Parameter(torch.zeros(n))


class DepthMix(nn.Module):
    """Depth mixing of a stack of ``depth`` sublayers with C = ``channels``: a read before each, and one read-out.

    ``mixing``: full and block attend with queries, static learns fixed weights, uniform averages, residual adds. ``dim``
    is the channel dimension of the sources, -1 for tokens and 1 for maps. The stack starts with ``carried`` sources
    beside its entry, and ``given`` outputs are appended before the first read, as a stage entry may produce them.
    ``query_rank`` is the rank of the input-dependent part of the queries, 0 for none. ``fused`` takes the closed-form
    backward; it is False where forward-mode AD passes.
    """

    def __init__(
        self,
        channels: int,
        depth: int,
        mixing: Mixing,
        *,
        dim: int = -1,
        carried: int = 0,
        given: int = 0,
        query_rank: int = 0,
        fused: bool = False,
    ) -> None:
        super().__init__()
        self.mixing, self.dim, self.fused, self.carried = mixing, dim, fused, carried
        self.group = mixing.group_size(depth)
        counts = {read: 1 + carried + -(-read // self.group) for read in range(given, depth + 1)}
        self.reads = nn.ModuleDict()  # no entry where there is one source: its weight is 1, a query would be unused
        if mixing.learned:
            for read, n in counts.items():
                if n > 1:
                    self.reads[str(read)] = Static(n) if mixing.kind == "static" else Query(channels, query_rank, dim)

    def start(self, entry: Tensor, carried: Sequence[Tensor] = ()) -> Sources:
        """The sources of a fresh pass: v_0 and the ``carried`` ones before it."""
        if self.mixing.learned:
            return Sources([*carried, entry], self.group)
        return Sources([sum(carried, start=entry)], 0)  # plain sums need no history

    def forward(self, sources: Sources) -> Tensor:
        """h_l, the input of the next sublayer (or the read-out), shaped as each source."""
        if self.mixing.kind == "residual":
            return sources.values[0]
        if self.mixing.kind == "uniform":
            return sources.values[0] / (1 + self.carried + sources.read)
        if len(sources.values) == 1:
            return sources.values[0]
        read = self.reads[str(sources.read)]
        if isinstance(read, Static):
            return self._static(read, sources.values)
        query = read(sources.values[-1])
        return depth_mix(query, sources.values, dim=self.dim, fused=self.fused)

    def weights(self, sources: Sources) -> Tensor:
        """α of the coming read, (L, *positions): what :meth:`forward` multiplies the sources with (residual: ones)."""
        values = sources.values
        positions = values[0].movedim(self.dim, -1)[..., 0].float()  # (…): a template of the positions
        if not self.mixing.learned:
            n = 1 + self.carried + sources.read
            return positions.new_full((n, *positions.shape), 1.0 if self.mixing.kind == "residual" else 1 / n)
        if len(values) == 1:
            return positions.new_ones(1, *positions.shape)
        read = self.reads[str(sources.read)]
        if isinstance(read, Static):
            return read.static_query.softmax(0).reshape(-1, *[1] * positions.dim()).expand(-1, *positions.shape)
        return depth_weights(read(values[-1]), values, dim=self.dim)

    def _static(self, read: Static, values: Sequence[Tensor]) -> Tensor:
        weights = read.static_query.softmax(0).to(torch.promote_types(values[0].dtype, torch.float32))
        return weighted_sum(weights, values)


def collect_weights(module: nn.Module, *inputs: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Run ``module`` without gradient; return α of every read inside it: name → (sources, *positions)."""
    found: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[[nn.Module, tuple[Sources], Tensor], None]:
        def record(mix: nn.Module, args: tuple[Sources], _: Tensor) -> None:
            if isinstance(mix, DepthMix):
                found[f"{name}.{args[0].read}"] = mix.weights(args[0])

        return record

    mixes = {name: child for name, child in module.named_modules() if isinstance(child, DepthMix)}
    handles = [mix.register_forward_hook(hook(name)) for name, mix in mixes.items()]
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


def relative_entropy(weights: Tensor) -> Tensor:
    """Mean entropy of α (sources, *positions) over log(number of sources > 1): 1 is uniform, 0 picks one source."""
    entropy: Tensor = torch.special.entr(weights).sum(0).mean()  # over sources, then over positions
    return entropy / math.log(weights.shape[0])
