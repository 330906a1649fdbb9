"""robosuite, set up for this package: quiet, absolute joint and gripper commands, light visuals, honest seeding."""

from __future__ import annotations

import copy
import logging
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkzoo.simulation.gl import prepare_mujoco

JOINTS_LOW = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
"""Lower joint limits of a Panda arm, rad (robosuite's model file)."""
JOINTS_HIGH = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
"""Upper joint limits of a Panda arm, rad."""
FPS = 20
GRIPPER = "PandaGripperAbsolute"
CONSTRUCTION_SEED = 0
VISUAL_GROUP, HIDDEN_GROUP = 1, 3
_HULL_COLOUR = (0.75, 0.75, 0.78, 1.0)


def make_scene(name: str) -> Any:
    """Build robosuite's two-arm environment ``name`` without cameras of its own.

    A scene keeps its model over resets, so what robosuite draws at construction (the hammer's size) is the same in
    every episode and on every machine.
    """
    robosuite = _import_quietly()
    scene = robosuite.make(
        name,
        robots=["Panda", "Panda"],
        env_configuration="opposed",
        controller_configs=[_controller(), _controller()],
        gripper_types=_absolute_gripper(),
        has_renderer=False,
        has_offscreen_renderer=False,
        use_camera_obs=False,
        renderer="mujoco",
        control_freq=FPS,
        ignore_done=True,
        reward_shaping=True,
        reward_scale=1.0,
        hard_reset=False,
        seed=CONSTRUCTION_SEED,
    )
    _drop_sensors(scene)
    _lighten(scene.sim.model._model)
    return scene


def reseed(scene: Any, seed: int) -> None:
    """Make the next reset of ``scene`` a function of ``seed``: every holder of a generator gets the new one.

    The environment, its placement sampler and some objects (the hammer) keep their own handles on the generator.
    """
    scene.rng = np.random.default_rng(seed)
    scene.placement_initializer.rng = scene.rng
    for thing in scene.model.mujoco_objects:
        if hasattr(thing, "rng"):
            thing.rng = scene.rng


def _import_quietly() -> Any:
    """Import robosuite without its advice on files that this package does not use, and Python's on its banner's escapes."""
    prepare_mujoco()
    logger = logging.getLogger("robosuite_logs")
    if not logger.filters:
        logger.addFilter(lambda record: record.levelno >= logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*invalid escape sequence")  # on the first import, which compiles
        import robosuite

    return robosuite


def _controller() -> dict[str, Any]:
    """Absolute joint targets, tracked by a stiff PD controller (kp 200, critically damped)."""
    low, high = JOINTS_LOW.tolist(), JOINTS_HIGH.tolist()
    arm = {
        "type": "JOINT_POSITION",
        "input_type": "absolute",
        "input_min": low,
        "input_max": high,
        "output_min": low,
        "output_max": high,
        "kp": 200,
        "damping_ratio": 1,
        "impedance_mode": "fixed",
        "kp_limits": [0, 300],
        "damping_ratio_limits": [0, 10],
        "qpos_limits": None,
        "interpolation": None,
        "ramp_ratio": 0.2,
        "gripper": {"type": "GRIP"},
    }
    return {"type": "BASIC", "body_parts": {"right": copy.deepcopy(arm)}}


def _absolute_gripper() -> str:
    """Register a Panda gripper whose command is a position: −1 open, +1 closed (the stock one reads only the sign)."""
    from robosuite.models.grippers import GRIPPER_MAPPING, register_gripper
    from robosuite.models.grippers.panda_gripper import PandaGripper

    if GRIPPER not in GRIPPER_MAPPING:

        def format_action(self: Any, action: NDArray[np.float64]) -> NDArray[np.float64]:
            closing = float(np.clip(action[0], -1.0, 1.0))
            self.current_action = command = np.array([-closing, closing])
            return command

        register_gripper(type(GRIPPER, (PandaGripper,), {"format_action": format_action}))
    return GRIPPER


def _drop_sensors(scene: Any) -> None:
    """Switch robosuite's 26 observables off: they are evaluated in every substep and cost more than the physics."""
    for name in scene.observation_names:
        scene.modify_observable(name, "enabled", False)
        scene.modify_observable(name, "active", False)


def _lighten(model: Any) -> None:
    """Make the scene cheap to draw (a tenth of the time): no mirrors, no pedestals, arms drawn by their hulls.

    The detailed arm meshes have 336 thousand triangles; the collision hulls show the same pose with a few thousand.
    """
    import mujoco

    model.mat_reflectance[:] = 0
    for geom in range(model.ngeom):
        body = mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_BODY, int(model.geom_bodyid[geom]))
        if body.startswith("fixed_mount"):
            model.geom_group[geom] = HIDDEN_GROUP
        elif body.startswith(("robot0", "robot1", "gripper0", "gripper1")):
            _swap_for_hull(model, geom)


def _swap_for_hull(model: Any, geom: int) -> None:
    if model.geom_group[geom] == VISUAL_GROUP:
        model.geom_group[geom] = HIDDEN_GROUP
    elif model.geom_group[geom] == 0:
        model.geom_group[geom], model.geom_matid[geom] = VISUAL_GROUP, -1
        model.geom_rgba[geom] = _HULL_COLOUR
