"""One optimiser step, and everything that it changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from trunkzoo.nn.draws import sample_seeds
from trunkzoo.registry.train_config import TrainConfig
from trunkzoo.system.compiling import compiled
from trunkzoo.training.batches import Batch
from trunkzoo.training.optimizer import Ema, adamw, learning_rate, set_rate, trainable


class StepReport(NamedTuple):
    """Metrics of one optimiser step, the same on every process."""

    values: dict[str, float]
    """Loss, gradient norm and the head's scalars, means over the whole batch."""
    finite: bool
    """False if the loss or the gradient was not finite; then nothing has moved where such steps are tolerated."""
    stop: bool
    """True if any process was asked to stop."""


class Learner:
    """An agent with its optimiser and its average, on its device and behind DDP where there are several processes."""

    def __init__(self, agent: nn.Module, config: TrainConfig, seed: int, accelerator: Accelerator) -> None:
        self.agent, self.config, self.seed, self.accelerator = agent.train(), config, seed, accelerator
        if config.channels_last:
            agent.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        agent.to(accelerator.device)
        self.model = accelerator.prepare_model(compiled(agent) if config.compile else agent)
        self.parameters = list(trainable(agent).values())
        self.optimizer = adamw(agent, config)
        self.ema = Ema(agent, config.ema) if config.ema.enabled else None
        self.buffers = list(agent.buffers()) if config.skip_nonfinite else []

    def step(self, step: int, parts: Sequence[Batch], stop: bool) -> StepReport:
        """Do the update that follows ``step`` finished ones on this process's ``parts`` of the batch."""
        rank = self.accelerator.process_index
        torch.manual_seed(int(sample_seeds(self.seed, step, rank)))  # dropout is a function of (seed, step) as well
        before = [buffer.clone() for buffer in self.buffers]  # a forward moves the statistics of batch norm
        scalars = self._backward(parts)
        scalars["grad_norm"] = self._clip()
        names = sorted(scalars)  # one order on every process: the mean over processes goes by position
        asked = torch.full((), float(stop), device=self.accelerator.device)  # filled there: a copy would be a wait
        numbers = torch.stack([scalars[name].float() for name in names] + [asked])
        *values, stopped = self._mean(numbers).tolist()  # the one wait for the device
        report = dict(zip(names, values, strict=True))
        finite = math.isfinite(report["loss"]) and math.isfinite(report["grad_norm"])
        if finite:
            self._move(step)
        else:
            for buffer, value in zip(self.buffers, before, strict=True):
                buffer.copy_(value)
        self.optimizer.zero_grad()
        return StepReport(report, finite, stopped > 0)

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Let the agent hold its acting weights inside the block, and the live ones again behind it."""
        if self.ema is None:
            yield
            return
        live = [parameter.detach().clone() for parameter in self.parameters]
        averages = list(self.ema.averages.values())
        try:
            torch._foreach_copy_([parameter.data for parameter in self.parameters], averages)
            yield
        finally:
            torch._foreach_copy_([parameter.data for parameter in self.parameters], live)

    def acting_weights(self) -> dict[str, Tensor]:
        """The state dict to act with: averaged where there is an average."""
        return self.ema.weights(self.agent) if self.ema else dict(self.agent.state_dict())

    def _backward(self, parts: Sequence[Batch]) -> dict[str, Tensor]:
        """Accumulate gradients of the mean loss over ``parts``; returns the means of what the head reports."""
        totals: dict[str, Tensor] = {}
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            batch = {key: value.to(self.accelerator.device, non_blocking=True) for key, value in part.items()}
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                scalars = self.model(batch)
                (scalars["loss"] / len(parts)).backward()  # parts are equal: the mean of their means is the batch's
            for name, value in scalars.items():
                totals[name] = totals.get(name, 0.0) + value.detach() / len(parts)
        return totals

    def _clip(self) -> Tensor:
        if self.config.clip_norm:
            return torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm)
        return torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])

    def _mean(self, numbers: Tensor) -> Tensor:
        if self.accelerator.num_processes == 1:
            return numbers
        mean: Tensor = self.accelerator.reduce(numbers, "mean")
        return mean

    def _move(self, step: int) -> None:
        set_rate(self.optimizer, learning_rate(step, self.config))
        self.optimizer.step()
        if self.ema:
            self.ema.update()
