"""Built-in plugin: policies that lerobot trained act in `zoo eval` and `zoo compare`, as ``lerobot:PATH``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trunkzoo.plugin import PolicyProvenance, PolicySpec, RolloutContext, TaskContract, hookimpl
from trunkzoo_lerobot.config import LerobotConfig

if TYPE_CHECKING:
    from trunkzoo_lerobot.policy import LerobotPolicy


def _build(config: LerobotConfig, context: RolloutContext) -> LerobotPolicy:
    from trunkzoo_lerobot.policy import make

    return make(config, context)


def _misfits(config: LerobotConfig, contract: TaskContract) -> list[str]:
    from trunkzoo_lerobot import saved

    return saved.misfits(saved.read(config.path), contract)


def _provenance(config: LerobotConfig) -> PolicyProvenance:
    from trunkzoo_lerobot import policy, saved

    found = saved.read(config.path)
    versions = policy.versions_in(config.python)
    return PolicyProvenance(
        name=found.type,
        sha256=saved.weights_sha256(found),
        step=saved.step(found),
        versions={name if name == "lerobot" else f"lerobot's {name}": version for name, version in versions.items()},
        settings={"instruction": config.instruction, "processors_sha256": saved.processors_sha256(found)},
    )


@hookimpl
def trunkzoo_policies() -> Iterable[PolicySpec[Any]]:
    """What lerobot-train saves."""
    return [
        PolicySpec(
            name="lerobot",
            summary="a policy that lerobot trained (ACT, diffusion, …), in this Python (3.12 or newer) or in lerobot's own",
            config=LerobotConfig,
            argument="path",
            build=_build,
            provenance=_provenance,
            misfits=_misfits,
            local=lambda config: not config.python,
            elsewhere="python=PATH",
            requires=("lerobot",),
            extra="lerobot",
            checked_on="reach/reach",
        )
    ]
