"""Conformance checks of action heads."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from trunkzoo.agent.example import random_noise
from trunkzoo.plugin import Draws, sample_seeds
from trunkzoo.plugin.contract import Contract
from trunkzoo.plugin.protocols import Head
from trunkzoo.plugin.records import HeadSpec
from trunkzoo.testing.check import Check, Subject, require
from trunkzoo.testing.described import config_rejects_unknown_keys, config_round_trips, describes_without_torch
from trunkzoo.testing.trunk_numbers import COMPILER, close, some

HeadSubject = Subject[HeadSpec[Any]]
SAMPLES = 3
SMALL = Contract(cameras=("front",), image_size=(32, 32), state_dim=3, action_dim=5, camera_dim=8, cond_dim=11)
ODD = Contract(
    cameras=("front",), image_size=(32, 32), state_dim=2, action_dim=3, camera_dim=5, cond_dim=7,
    obs_horizon=1, pred_horizon=9, num_action_steps=4,
)  # fmt: skip


class LossInputs(NamedTuple):
    """Inputs of a head's loss."""

    cond: Tensor
    actions: Tensor
    valid: Tensor
    seeds: Tensor

    def rows(self, chosen: slice) -> LossInputs:
        """Some of the samples."""
        return LossInputs(*(tensor[chosen] for tensor in self))


def batch(contract: Contract, n: int = SAMPLES) -> LossInputs:
    """Random conditions and actions, nothing padded."""
    generator = torch.Generator().manual_seed(0)
    cond = torch.randn(n, contract.obs_horizon, contract.cond_dim, generator=generator)
    actions = torch.rand(n, contract.pred_horizon, contract.action_dim, generator=generator) * 2 - 1
    return LossInputs(cond, actions, torch.ones(actions.shape[:2], dtype=torch.bool), sample_seeds(0, torch.arange(n)))


def build(subject: HeadSubject, contract: Contract = SMALL, seed: int = 0) -> nn.Module:
    """Build the head and add small noise to its weights: a freshly initialised head may well ignore its input."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = subject.spec.build(subject.config, contract)
        require(isinstance(head, nn.Module), f"build returned {type(head).__name__}; it must return a torch.nn.Module")
        with torch.no_grad():
            for parameter in head.parameters():
                parameter += 0.02 * torch.randn_like(parameter)
    return cast(nn.Module, head)


def loss_of(head: nn.Module, given: LossInputs) -> dict[str, Tensor]:
    """The head's loss, with fresh draws from the samples' seeds."""
    return cast(dict[str, Tensor], head(given.cond, given.actions, given.valid, Draws(given.seeds)))


def sample_of(head: nn.Module, cond: Tensor, start: Tensor) -> Tensor:
    """The head's sample."""
    return cast(Head, head).sample(cond, start)


def satisfies_head(subject: HeadSubject) -> None:
    """It is a torch module with ``forward`` and ``sample``, and builds on the meta device too."""
    with torch.device("meta"):
        head = subject.spec.build(subject.config, SMALL)
    require(isinstance(head, nn.Module), f"build returned {type(head).__name__}; it must return a torch.nn.Module")
    require(isinstance(head, Head), f"{type(head).__name__} lacks forward(cond, actions, valid, draws) or sample")
    elsewhere = [name for name, parameter in head.named_parameters() if not parameter.is_meta]
    require(not elsewhere, f"{some(elsewhere)} ignore the device that was asked for")


def loss_is_a_finite_scalar(subject: HeadSubject) -> None:
    """The loss is a finite scalar with a graph; everything beside it is detached, finite and scalar."""
    losses = loss_of(build(subject).train(), batch(SMALL))
    require("loss" in losses, f"forward returned the keys {list(losses)}; 'loss' is missing")
    for name, value in losses.items():
        require(value.dim() == 0, f"{name} has shape {tuple(value.shape)}; it must be a scalar")
        require(bool(torch.isfinite(value)), f"{name} is {value.item()}")
        require(value.requires_grad == (name == "loss"), f"{name}.requires_grad is {value.requires_grad}")


def every_parameter_learns(subject: HeadSubject) -> None:
    """The loss gives every parameter, and the condition, a finite gradient."""
    head = build(subject).train()
    given = batch(SMALL)
    given.cond.requires_grad_()
    loss_of(head, given)["loss"].backward()  # type: ignore[no-untyped-call]
    without = [
        name for name, parameter in head.named_parameters() if parameter.requires_grad and parameter.grad is None
    ]
    require(not without, f"no gradient reaches {some(without)}; DDP would fail")
    broken = [n for n, p in head.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
    require(not broken, f"the gradient of {some(broken)} is not finite")
    grad = given.cond.grad
    require(grad is not None and bool(grad.abs().sum() > 0), "the trunk would not learn: the condition has no gradient")


@torch.no_grad()
def draws_decide(subject: HeadSubject) -> None:
    """The draws are the only randomness: the same samples have the same loss, whatever the global generator."""
    head = build(subject).eval()
    state = torch.get_rng_state()
    first = loss_of(head, batch(SMALL))["loss"]
    require(torch.equal(state, torch.get_rng_state()), "the loss uses torch's global generator; take it from draws")
    require(torch.equal(first, loss_of(head, batch(SMALL))["loss"]), "the same draws give another loss")


@torch.no_grad()
def loss_is_a_mean_of_samples(subject: HeadSubject) -> None:
    """The loss of a batch is the mean over its samples, so accumulation equals a larger batch."""
    head, whole = build(subject).eval(), batch(SMALL, 4)
    parts = torch.stack([loss_of(head, whole.rows(slice(i, i + 1)))["loss"] for i in range(4)])
    close(parts.mean(), loss_of(head, whole)["loss"], 1e-4, "the loss of 4 samples is not the mean of their losses")


@torch.no_grad()
def padding_is_harmless(subject: HeadSubject) -> None:
    """Actions where ``valid`` is False do not change the loss, and a sample that is all padding leaves it finite."""
    head, given = build(subject).eval(), batch(SMALL)
    given.valid[:, SMALL.pred_horizon // 2 :] = False
    before = loss_of(head, given)["loss"]
    given.actions[~given.valid] = 100.0
    after = loss_of(head, given)["loss"]
    change = f"100 in the padded half of every chunk moves the loss from {before.item():.4g} to {after.item():.4g}"
    mend = "multiply the error by valid, and blank padded actions before they enter the network"
    require(torch.allclose(after, before, rtol=1e-4), f"{change}; {mend}")
    given.valid[0] = False
    value = loss_of(head, given)["loss"]
    require(bool(torch.isfinite(value)), f"with a wholly padded sample the loss is {value.item()}")


@torch.no_grad()
def samples_have_the_contracts_shape(subject: HeadSubject) -> None:
    """A sample is (B, pred_horizon, action_dim) and finite, under two contracts and for batches of 1 and 3."""
    for contract in (SMALL, ODD):
        head = build(subject, contract).eval()
        for n in (1, 3):
            chunk = sample_of(head, batch(contract, n).cond, random_noise(contract, n))
            expected = (n, contract.pred_horizon, contract.action_dim)
            require(tuple(chunk.shape) == expected, f"the sample is {tuple(chunk.shape)}, expected {expected}")
            require(bool(torch.isfinite(chunk).all()), "the sample is not finite")


@torch.no_grad()
def sampling_is_a_function(subject: HeadSubject) -> None:
    """A sample depends on condition and noise alone: no global randomness, no other row of the batch."""
    head, given, start = build(subject).eval(), batch(SMALL), random_noise(SMALL, SAMPLES)
    state = torch.get_rng_state()
    chunk = sample_of(head, given.cond, start)
    require(torch.equal(state, torch.get_rng_state()), "sampling uses torch's global generator; noise is its argument")
    require(torch.equal(chunk, sample_of(head, given.cond, start)), "the same noise gives another sample")
    alone = sample_of(head, given.cond[:1], start[:1])
    close(alone[0], chunk[0], 1e-4, "a sample changes with its neighbours in the batch")


def same_seed_same_weights(subject: HeadSubject) -> None:
    """The global seed decides the weights."""
    first, second = (build(subject, seed=3).state_dict() for _ in range(2))
    different = [key for key in first if not torch.equal(first[key], second[key])]
    require(not different, f"two builds from one seed differ in {some(different)}")


@torch.no_grad()
def state_dict_round_trip(subject: HeadSubject) -> None:
    """Weights load strictly into another instance, and a deep copy works, with the same samples bit for bit."""
    head, other = build(subject).eval(), build(subject, seed=1).eval()
    other.load_state_dict(head.state_dict(), strict=True)
    chunk = sample_of(head, batch(SMALL).cond, random_noise(SMALL, SAMPLES))
    for twin in (other, copy.deepcopy(head)):
        require(
            torch.equal(chunk, sample_of(twin, batch(SMALL).cond, random_noise(SMALL, SAMPLES))),
            "the copy samples differently",
        )


def bfloat16(subject: HeadSubject) -> None:
    """Under bfloat16 autocast the loss and its gradients are finite."""
    head = build(subject).train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(head, batch(SMALL))["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    require(bool(torch.isfinite(loss)), f"the loss is {loss.item()}")
    broken = [n for n, p in head.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
    require(not broken, f"the gradient of {some(broken)} is not finite")


@torch.no_grad()
def sampling_compiles(subject: HeadSubject) -> None:
    """``torch.compile(fullgraph=True)`` captures sampling, with the same result."""
    head, given, start = build(subject).eval(), batch(SMALL), random_noise(SMALL, SAMPLES)
    torch.compiler.reset()
    compiled = torch.compile(cast(Head, head).sample, fullgraph=True, backend=COMPILER)
    close(compiled(given.cond, start), sample_of(head, given.cond, start), 1e-3, "compiled samples differ")


HEAD_CHECKS: tuple[Check[HeadSpec[Any]], ...] = (
    Check(describes_without_torch),
    Check(config_rejects_unknown_keys),
    Check(config_round_trips),
    Check(satisfies_head),
    Check(loss_is_a_finite_scalar),
    Check(every_parameter_learns),
    Check(draws_decide),
    Check(loss_is_a_mean_of_samples),
    Check(padding_is_harmless),
    Check(samples_have_the_contracts_shape),
    Check(sampling_is_a_function),
    Check(same_seed_same_weights),
    Check(state_dict_round_trip),
    Check(bfloat16),
    Check(sampling_compiles, slow=True),
)
