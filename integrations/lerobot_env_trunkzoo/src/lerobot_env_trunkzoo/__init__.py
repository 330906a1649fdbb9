"""The environment type ``trunkzoo`` of lerobot. Importing this registers it."""

from lerobot_env_trunkzoo.configuration import TrunkzooEnvConfig

__all__ = ["TrunkzooEnvConfig"]
