"""Training of an agent on demonstrations: a function of its settings, continued bit-equal after any kill.

This face holds what a run is given and what it gives back, without torch; :func:`trunkzoo.training.loop.train` runs it.
"""

from trunkzoo.training.config import RunConfig, TrainResult

__all__ = ["RunConfig", "TrainResult"]
