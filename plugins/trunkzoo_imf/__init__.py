"""Built-in plugin: improved MeanFlow in one network evaluation, a drifting model, and baselines on the same transformer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trunkzoo.plugin import Contract, HeadSpec, hookimpl
from trunkzoo_imf.config import DDIMConfig, DriftConfig, FlowConfig, IMFConfig, RegressionConfig

if TYPE_CHECKING:
    from trunkzoo_imf.ddim import DDIMHead
    from trunkzoo_imf.drift import DriftHead
    from trunkzoo_imf.flow import FlowHead
    from trunkzoo_imf.imf import IMFHead
    from trunkzoo_imf.regression import RegressionHead


def build_imf(config: IMFConfig, contract: Contract) -> IMFHead:
    """Build the head ``imf/imf``."""
    from trunkzoo_imf.imf import IMFHead

    return IMFHead(config, contract)


def build_flow(config: FlowConfig, contract: Contract) -> FlowHead:
    """Build the head ``imf/flow``."""
    from trunkzoo_imf.flow import FlowHead

    return FlowHead(config, contract)


def build_ddim(config: DDIMConfig, contract: Contract) -> DDIMHead:
    """Build the head ``imf/ddim``."""
    from trunkzoo_imf.ddim import DDIMHead

    return DDIMHead(config, contract)


def build_drift(config: DriftConfig, contract: Contract) -> DriftHead:
    """Build the head ``imf/drift``."""
    from trunkzoo_imf.drift import DriftHead

    return DriftHead(config, contract)


def build_regression(config: RegressionConfig, contract: Contract) -> RegressionHead:
    """Build the head ``imf/regression``."""
    from trunkzoo_imf.regression import RegressionHead

    return RegressionHead(config, contract)


@hookimpl
def trunkzoo_heads() -> Iterable[HeadSpec[Any]]:
    """Five heads on one network, so that a fault of one can be told from a fault of the agent."""
    return [
        HeadSpec(
            name="imf",
            summary="improved MeanFlow: an action chunk in one network evaluation",
            config=IMFConfig,
            build=build_imf,
        ),
        HeadSpec(
            name="flow",
            summary="conditional flow matching, Euler steps",
            config=FlowConfig,
            build=build_flow,
        ),
        HeadSpec(
            name="ddim",
            summary="denoising diffusion, DDIM steps",
            config=DDIMConfig,
            build=build_ddim,
        ),
        HeadSpec(
            name="drift",
            summary="drifting model: one network evaluation, trained without times or derivatives",
            config=DriftConfig,
            build=build_drift,
        ),
        HeadSpec(
            name="regression",
            summary="L1 regression of the chunk, without noise",
            config=RegressionConfig,
            build=build_regression,
        ),
    ]
