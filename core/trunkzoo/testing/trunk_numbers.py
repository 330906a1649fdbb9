"""Trunk checks that look at the numbers: gradients, determinism, independence, precision, compilation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from trunkzoo.testing.check import CheckSkipped, require
from trunkzoo.testing.trunk_forms import TrunkSubject, build, images

COMPILER = "aot_eager"  # traces forward and backward like the default compiler, without generating code


@torch.no_grad()
def finite(subject: TrunkSubject) -> None:
    """Noise, black, white and constant images give finite features."""
    trunk = build(subject).module.eval()
    extremes = torch.tensor([-2.2, 0.0, 2.7]).view(3, 1, 1, 1).expand(3, 3, 64, 64)  # black, mean, white after the norm
    for name, batch in (("noise", images()), ("constant images", extremes)):
        require(bool(torch.isfinite(trunk(batch)).all()), f"features of {name} are not finite")


def every_parameter_learns(subject: TrunkSubject) -> None:
    """A loss on the features gives every trainable parameter a finite gradient."""
    trunk = build(subject).module.train()
    if not any(parameter.requires_grad for parameter in trunk.parameters()):
        raise CheckSkipped("every parameter is frozen")
    _loss(trunk(images(3))).backward()  # type: ignore[no-untyped-call]
    trainable = [(name, parameter.grad) for name, parameter in trunk.named_parameters() if parameter.requires_grad]
    without = [name for name, grad in trainable if grad is None]
    require(not without, f"no gradient reaches {some(without)}; DDP would fail")
    broken = [name for name, grad in trainable if grad is not None and not torch.isfinite(grad).all()]
    require(not broken, f"the gradient of {some(broken)} is not finite")


@torch.no_grad()
def eval_is_deterministic(subject: TrunkSubject) -> None:
    """In eval mode the same images give the same features, and no state changes."""
    trunk = build(subject).module.eval()
    before = {key: value.clone() for key, value in trunk.state_dict().items()}
    require(torch.equal(trunk(images()), trunk(images())), "two forward passes differ")
    changed = [key for key, value in trunk.state_dict().items() if not torch.equal(value, before[key])]
    require(not changed, f"a forward pass in eval mode changes {some(changed)}")


@torch.no_grad()
def rows_independent(subject: TrunkSubject) -> None:
    """In eval mode an image's features do not depend on the other images of its batch."""
    trunk = build(subject).module.eval()
    batch, other = images(3), images(3, seed=1)
    other[1] = batch[1]  # the same image between other neighbours
    close(trunk(other)[1], trunk(batch)[1], 1e-5, "features of an image change with its neighbours in the batch")


@torch.no_grad()
def input_untouched(subject: TrunkSubject) -> None:
    """The images are not written to."""
    batch = images()
    build(subject).module.eval()(batch)
    require(torch.equal(batch, images()), "forward changes its input in place")


@torch.no_grad()
def channels_last(subject: TrunkSubject) -> None:
    """Memory layout is not meaning: channels_last images and weights give the same features."""
    trunk = build(subject).module.eval()
    plain = trunk(images())
    trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    close(trunk(images().contiguous(memory_format=torch.channels_last)), plain, 1e-4, "channels_last changes features")


@torch.no_grad()
def bfloat16(subject: TrunkSubject) -> None:
    """Under bfloat16 autocast the features are finite and within 10 % of float32."""
    trunk = build(subject).module.eval()
    with torch.autocast("cpu", torch.bfloat16):
        half = trunk(images())
    close(half.float(), trunk(images()), 0.1, "bfloat16 features are too far from float32")


def compiles(subject: TrunkSubject) -> None:
    """``torch.compile(fullgraph=True)`` captures forward and backward, with the same features and gradients."""
    trunk = build(subject).module.eval()
    torch.compiler.reset()
    compiled = torch.compile(trunk, fullgraph=True, backend=COMPILER)
    expected, expected_grad = _features_and_gradient(trunk)
    features, grad = _features_and_gradient(compiled)
    close(features, expected, 1e-3, "compiled features differ")
    close(grad, expected_grad, 1e-2, "compiled gradients differ")


@torch.no_grad()
def exports(subject: TrunkSubject) -> None:
    """``torch.export`` captures it in eval mode, with the same features."""
    trunk = build(subject).module.eval()
    program = torch.export.export(trunk, (images(),))
    close(program.module()(images()), trunk(images()), 1e-4, "exported features differ")


def _loss(features: Tensor) -> Tensor:
    """A scalar on which every feature has its own weight."""
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(2))
    return (features.float() * weights).mean()


def close(value: Tensor, expected: Tensor, tolerance: float, message: str) -> None:
    """Require the largest error to be at most ``tolerance`` of the largest expected value."""
    require(bool(torch.isfinite(value).all()), f"{message}: not finite")
    scale = expected.abs().max().clamp_min(1e-12)
    error = float((value - expected).abs().max() / scale)
    require(error <= tolerance, f"{message}: by {error:.2g} of the largest one, more than {tolerance:g}")


def some(names: list[str]) -> str:
    """The first three names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _features_and_gradient(trunk: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Features, and the gradient of a loss on them by the images (zero where a frozen trunk keeps no graph)."""
    batch = images().requires_grad_()
    features = trunk(batch)
    if features.requires_grad:
        _loss(features).backward()  # type: ignore[no-untyped-call]
    return features.detach(), torch.zeros_like(batch) if batch.grad is None else batch.grad
