"""Training: a pure function of its configuration that can be killed anywhere and continued bit-equal.

This face holds what a run is given and what it gives back, without torch; :func:`trunkzoo.training.loop.train` runs it.
"""

from trunkzoo.training.config import RunConfig, TrainResult

__all__ = ["RunConfig", "TrainResult"]
