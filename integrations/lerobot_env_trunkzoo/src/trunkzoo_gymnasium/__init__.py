"""Every task of trunkzoo as a gymnasium environment ``trunkzoo/NAME-v0``; gymnasium finds this by its entry point."""

from __future__ import annotations

from collections import Counter

from gymnasium.envs.registration import register


def register_tasks() -> None:
    """Register every installed task; gymnasium calls this in the namespace ``trunkzoo`` when it is imported.

    A name that several plugins have comes with its plugin: ``trunkzoo/metaworld.reach-v0``. No simulator is imported.
    """
    from trunkzoo.registry.zoo import open_zoo

    tasks = open_zoo().catalogue.tasks
    shared = Counter(id.partition("/")[2] for id in tasks)
    for id in tasks:
        plugin, _, name = id.partition("/")
        ours = name if shared[name] == 1 else f"{plugin}.{name}"
        register(f"{ours}-v0", entry_point="trunkzoo_gymnasium.environment:TaskEnv", kwargs={"task": id})
