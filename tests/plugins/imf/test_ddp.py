"""Two gloo processes give the gradients of one: every sample decides for itself whether r = t."""

import sys
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.plugin import Contract
from trunkzoo_imf.config import IMFConfig, IntervalTimes
from trunkzoo_imf.imf import IMFHead
from trunkzoo_imf.times import draw_interval
from zoo_process import script

CONTRACT = Contract(
    cameras=("front",), image_size=(8, 8), state_dim=3, action_dim=3, camera_dim=4, cond_dim=7, pred_horizon=5,
    num_action_steps=2,
)  # fmt: skip
SAMPLES = 6
SEED = 10  # with it the second process's half has r = t throughout (asserted below)


def gradients(wrap: type[nn.Module] | None, rows: slice) -> list[Tensor]:
    torch.manual_seed(0)
    head = IMFHead(IMFConfig(width=16, blocks=2, heads=2, draws_per_sample=1), CONTRACT)
    for output in head.network.outputs:
        assert isinstance(output, nn.Linear)
        nn.init.normal_(output.weight)
    generator = torch.Generator().manual_seed(1)
    cond = torch.randn(SAMPLES, 2, 7, generator=generator)
    actions = torch.rand(SAMPLES, 5, 3, generator=generator)
    valid = torch.arange(5) < torch.tensor([[5], [5], [2], [5], [4], [5]])
    module = wrap(head) if wrap else head
    module(cond[rows], actions[rows], valid[rows], Draws(seeds()[rows]))["loss"].backward()
    return [parameter.grad for parameter in head.parameters() if parameter.grad is not None]


def seeds() -> Tensor:
    return sample_seeds(SEED, torch.arange(SAMPLES))


def worker(rank: int, directory: Path) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{directory}/meeting", rank=rank, world_size=2)
    found = gradients(nn.parallel.DistributedDataParallel, slice(rank * 3, rank * 3 + 3))
    torch.save(found, directory / f"rank{rank}.pt")
    distributed.destroy_process_group()


def test_one_process_may_draw_equal_times_only() -> None:
    r, t = draw_interval(Draws(seeds()).repeat(1), IntervalTimes())
    assert (r < t)[:3].any()
    assert not (r < t)[3:].any()


def test_two_processes_equal_one(tmp_path: Path) -> None:
    processes = [script(__file__, str(tmp_path), str(rank)) for rank in range(2)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    whole = gradients(None, slice(None))
    for rank in range(2):
        for one, two in zip(whole, torch.load(tmp_path / f"rank{rank}.pt"), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


if __name__ == "__main__":
    worker(int(sys.argv[2]), Path(sys.argv[1]))
