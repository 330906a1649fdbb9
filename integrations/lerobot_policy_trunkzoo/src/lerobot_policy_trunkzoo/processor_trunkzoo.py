"""The processors around the policy: batch, device and names. Normalisation is the agent's own."""

from __future__ import annotations

from typing import Any

from lerobot.processor import PolicyAction, PolicyProcessorPipeline, make_default_pre_post_processors

from lerobot_policy_trunkzoo.configuration_trunkzoo import TrunkzooConfig


def make_trunkzoo_pre_post_processors(
    config: TrunkzooConfig, dataset_stats: dict[str, dict[str, Any]] | None = None
) -> tuple[
    PolicyProcessorPipeline[dict[str, Any], dict[str, Any]], PolicyProcessorPipeline[PolicyAction, PolicyAction]
]:
    """lerobot's usual steps; every feature is mapped to IDENTITY."""
    return make_default_pre_post_processors(config, dataset_stats)
