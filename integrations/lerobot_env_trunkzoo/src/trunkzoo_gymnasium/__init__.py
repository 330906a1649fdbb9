"""Every task of trunkzoo as a gymnasium environment ``trunkzoo/NAME-v0``. Importing this registers them, as gymnasium 1 asks."""

from __future__ import annotations

from collections import Counter

from gymnasium.envs.registration import register


def register_tasks() -> None:
    """Register every installed task. No simulator is imported.

    A name that several plugins have comes with its plugin: ``trunkzoo/metaworld.reach-v0``.
    """
    from trunkzoo.registry.zoo import open_zoo

    tasks = open_zoo().catalogue.tasks
    shared = Counter(id.partition("/")[2] for id in tasks)
    for id in tasks:
        plugin, _, name = id.partition("/")
        ours = name if shared[name] == 1 else f"{plugin}.{name}"
        register(f"trunkzoo/{ours}-v0", entry_point="trunkzoo_gymnasium.environment:TaskEnv", kwargs={"task": id})


register_tasks()
