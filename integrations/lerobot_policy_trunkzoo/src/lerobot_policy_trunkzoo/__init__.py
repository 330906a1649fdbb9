"""The policy type ``trunkzoo`` of lerobot, and a narrow ResNet-18 for lerobot's own policies.

Importing this registers both, and the optimiser of the first; trunkzoo's models load later.
"""

from lerobot_policy_trunkzoo.backbones import register
from lerobot_policy_trunkzoo.configuration_trunkzoo import TrunkzooConfig
from lerobot_policy_trunkzoo.optimisation import TrunkzooAdamWConfig, TrunkzooSchedulerConfig

register()

__all__ = ["TrunkzooAdamWConfig", "TrunkzooConfig", "TrunkzooSchedulerConfig"]
