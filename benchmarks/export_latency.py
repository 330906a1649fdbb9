"""Latency of one prediction in onnxruntime over eager torch, same agent and observations: one thread, batch 1, A B A B.

python benchmarks/export_latency.py                  # the two agents of the demo; a minute of CPU time
python benchmarks/export_latency.py tour-attnres     # other recipes
python benchmarks/export_latency.py imf-resnet18-demo --trunk attnres/attnres-tokens --set trunk.output_stride=16

Leaves with 1 if a ratio is above 0.45 or an export differs by more than 1e-5 of the action range.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from functools import partial
from pathlib import Path

import torch

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.example import random_batch, random_noise, unit_statistics
from trunkzoo.bench.clock import cpu_threads, elapsed
from trunkzoo.export.acting import ExportedAgent, load_export
from trunkzoo.export.export import export_agent
from trunkzoo.registry import open_zoo, parse_assignments

GATE, TOLERANCE = 0.45, 1e-5


def ratios(eager: Agent, exported: ExportedAgent, rounds: int) -> list[tuple[float, float]]:
    """Seconds of eager torch and of onnxruntime in every round, after two rounds of warm-up."""
    batch, noise = random_batch(eager.contract, 1), random_noise(eager.contract, 1)
    pairs = []
    for number in range(rounds + 2):
        works = (partial(eager.predict, batch, noise), partial(exported.predict, batch, noise))
        of_torch, of_onnx = (elapsed(work, eager.device) for work in works)
        if number >= 2:
            pairs.append((of_torch, of_onnx))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=["imf-resnet18-demo", "imf-attnres-demo"])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--trunk", help="in place of the recipes' own")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting; may be repeated")
    arguments = parser.parse_args()
    zoo, good, settings = open_zoo(), True, parse_assignments(arguments.set)
    for name in arguments.recipes:
        agent = assemble(zoo.recipe(name, settings, arguments.trunk))
        agent.fit_normalizers(unit_statistics(agent.contract))
        with tempfile.TemporaryDirectory() as folder, cpu_threads(1):
            record = export_agent(agent.eval(), Path(folder) / "out", zoo.catalogue)
            agent.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as training and evaluation have it
            pairs = ratios(agent, load_export(Path(folder) / "out"), arguments.rounds)
        torch_ms, onnx_ms = (1e3 * statistics.median(times) for times in zip(*pairs, strict=True))
        error = max(parity.error for parity in record.parity)
        good = good and onnx_ms / torch_ms <= GATE and error <= TOLERANCE
        print(
            f"{name}: torch {torch_ms:.1f} ms, onnxruntime {onnx_ms:.1f} ms, ratio {onnx_ms / torch_ms:.2f}, error {error:.1e}"
        )
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
