"""The policy type ``trunkzoo`` of lerobot. Importing this registers it and its optimiser; trunkzoo's models load later."""

from lerobot_policy_trunkzoo.configuration_trunkzoo import TrunkzooConfig
from lerobot_policy_trunkzoo.optimisation import TrunkzooAdamWConfig, TrunkzooSchedulerConfig

__all__ = ["TrunkzooAdamWConfig", "TrunkzooConfig", "TrunkzooSchedulerConfig"]
