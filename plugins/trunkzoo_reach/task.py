"""The reach scenes: a point in the unit square, moved by the place that it is told to go to."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from trunkzoo.plugin import Expert, Step
from trunkzoo.simulation.scene import Observation
from trunkzoo_reach.config import ReachConfig, contract
from trunkzoo_reach.expert import Around, Straight
from trunkzoo_reach.picture import draw

Place = NDArray[np.float64]
"""(x, y), both in [0, 1]."""
GAIN = 0.25  # share of the way to the commanded place in one step
NEAR = 0.05  # distance at which the target counts as reached
WALL = 0.22  # radius of the wall around the centre
LONGEST = 0.07  # step of the detour's point


class Reach:
    """The point moves a quarter of the way to the commanded place in each step; reward 1 − distance, 0 at least."""

    wall = 0.0

    def __init__(self, config: ReachConfig) -> None:
        self.contract, self._config = contract(config), config
        self.action_low, self.action_high = np.zeros(2, np.float32), np.ones(2, np.float32)
        self.place: Place = np.full(2, 0.5)
        self.target: Place = np.full(2, 0.5)
        self._places: deque[Place] = deque(maxlen=config.history)
        self._moment = 0

    def reset(self, seed: int) -> None:
        """Draw place and target."""
        self.place, self.target = self._begin(np.random.default_rng(seed))
        self._moment += 1
        self._places.clear()
        self._places.extend([self.place] * self._config.history)

    def _begin(self, random: np.random.Generator) -> tuple[Place, Place]:
        return random.uniform(size=2), random.uniform(size=2)

    def observe(self) -> Observation:
        """The images of the contract's cameras, drawn when they are read, and the last places."""
        state = np.concatenate(self._places).astype(np.float32)
        return Observation(state, self.contract.cameras, self._picture, lambda: self._moment)

    def _picture(self, camera: str) -> NDArray[np.uint8]:
        return draw(camera, self._config.image_size, self.place, self.target, self.wall)

    def step(self, action: NDArray[np.float32]) -> Step:
        """Move towards ``action`` (2,), the place to go to, clipped to the unit square."""
        self.place = self._moved(GAIN * (np.clip(action, 0, 1) - self.place))
        self._moment += 1
        self._places.appendleft(self.place)
        distance = float(np.linalg.norm(self.place - self.target))
        return Step(max(0.0, 1 - distance), distance < NEAR)

    def _moved(self, by: Place) -> Place:
        place: Place = self.place + by
        return place

    def hold(self) -> NDArray[np.float32]:
        """Stay."""
        return self.place.astype(np.float32)

    def places(self) -> dict[str, NDArray[np.float64]]:
        """Where the target is; the square counts as one metre wide."""
        return {"target": np.append(self.target, 0.0)}

    def expert(self, seed: int) -> Expert:
        """Points at the target for fourteen steps."""
        return Straight(self.target)

    def close(self) -> None:
        """Nothing to close."""


class Detour(Reach):
    """A round wall stands between place and target; the point slides along it and is slower."""

    wall = WALL

    def _begin(self, random: np.random.Generator) -> tuple[Place, Place]:
        start, end = random.uniform((0.2, 0.06), (0.8, 0.16)), random.uniform((0.2, 0.84), (0.8, 0.94))
        return start, end

    def _moved(self, by: Place) -> Place:
        length = float(np.linalg.norm(by))
        place: Place = self.place + by * min(1.0, LONGEST / max(length, 1e-9))
        out = place - 0.5
        radius = max(float(np.linalg.norm(out)), 1e-9)
        return place if radius >= self.wall else 0.5 + out * (self.wall / radius)

    def expert(self, seed: int) -> Around:
        """Passes the wall on the side that ``seed`` chooses."""
        return Around(self, left=bool(np.random.default_rng([seed, 1]).integers(2)))
