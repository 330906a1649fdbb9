"""An improved-MeanFlow step against a flow-matching step of the same network: CPU time and bytes kept for backward.

python benchmarks/head_step.py                # one minute of CPU time
python benchmarks/head_step.py --demo         # the demo recipe's head against what it was, which moved two of three draws
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from trunkzoo.bench.clock import cpu_threads, in_turns
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.plugin.contract import Contract
from trunkzoo.registry import open_zoo
from trunkzoo_imf.config import FlowConfig, IMFConfig, IntervalTimes
from trunkzoo_imf.flow import FlowHead
from trunkzoo_imf.imf import IMFHead
from trunkzoo_imf.times import draw_interval

CONTRACT = Contract(cameras=("a", "b", "c"), image_size=(96, 96), state_dim=16, action_dim=16, cond_dim=208)
TIME_GATE, BYTES_GATE = 1.75, 1.1


def half_moving(batch: int) -> Tensor:
    """Seeds of a batch of which exactly half draw r < t, as they do on average."""
    seeds = sample_seeds(0, torch.arange(8 * batch))
    r, t = draw_interval(Draws(seeds).repeat(1), IntervalTimes())
    return torch.cat([seeds[r < t][: batch // 2], seeds[r == t][: batch // 2]])


class Step:
    """Forward and backward of a head's loss on a fixed batch."""

    def __init__(self, head: nn.Module, batch: int, seeds: Tensor | None = None) -> None:
        """``seeds`` of the samples; by default exactly half of them draw r < t."""
        generator = torch.Generator().manual_seed(0)
        self.head = head
        self.cond = torch.randn(batch, 2, 208, generator=generator)
        self.actions = torch.rand(batch, 16, 16, generator=generator) * 2 - 1
        self.valid = torch.ones(batch, 16, dtype=torch.bool)
        self.seeds = half_moving(batch) if seeds is None else seeds

    def loss(self) -> Tensor:
        """The loss with the same draws at every call."""
        loss: Tensor = self.head(self.cond, self.actions, self.valid, Draws(self.seeds))["loss"]
        return loss

    def __call__(self) -> None:
        torch.autograd.backward(self.loss())
        self.head.zero_grad()

    def saved_bytes(self) -> int:
        """Storage that the graph keeps, each counted once, parameters left out."""
        own = {p.untyped_storage().data_ptr() for p in self.head.parameters()}
        kept: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = self.loss()  # alive until counted: freed storage could be handed out twice
        total = sum(kept.values())
        del loss
        return total


def demo_steps(batch: int) -> dict[str, Step]:
    """The head of imf-resnet18-demo and the law of (r, t) that it had, on the draws of each law."""
    config = IMFConfig.model_validate(dict(open_zoo().recipe("imf-resnet18-demo").recipe.head.config))
    before = config.model_copy(update={"times": IntervalTimes(one_step_share=0.4, noise_share=0.1)})
    seeds = sample_seeds(0, torch.arange(batch))
    return {name: Step(IMFHead(it, CONTRACT), batch, seeds) for name, it in (("before", before), ("demo", config))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--demo", action="store_true", help="the demo recipe's head against what it was; no gate")
    arguments = parser.parse_args()
    steps = (
        demo_steps(arguments.batch)
        if arguments.demo
        else {
            "flow": Step(FlowHead(FlowConfig(), CONTRACT), arguments.batch),
            "imf": Step(IMFHead(IMFConfig(), CONTRACT), arguments.batch),
        }
    )
    with cpu_threads(1):
        seconds = in_turns(steps, torch.device("cpu"), arguments.rounds)
    kept = {name: step.saved_bytes() for name, step in steps.items()}
    for name in steps:
        print(f"{name:5} {seconds[name] * 1e3:7.1f} ms   {kept[name] / 2**20:7.1f} MiB kept for backward")
    if arguments.demo:
        print(f"ratio {seconds['demo'] / seconds['before']:7.2f}")
        return
    time_ratio, bytes_ratio = seconds["imf"] / seconds["flow"], kept["imf"] / kept["flow"]
    print(f"ratio {time_ratio:7.2f} (at most {TIME_GATE}) {bytes_ratio:7.3f} (at most {BYTES_GATE})")
    raise SystemExit(0 if time_ratio <= TIME_GATE and bytes_ratio <= BYTES_GATE else 1)


if __name__ == "__main__":
    main()
