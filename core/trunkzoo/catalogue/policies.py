"""A policy from its record: whether it fits a task and where it comes from, told without building it; and the policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.catalogue.part import Configured
from trunkzoo.errors import ContractError, PluginError
from trunkzoo.plugin.contract import TaskContract
from trunkzoo.plugin.protocols import Policy
from trunkzoo.plugin.records import PolicyProvenance, PolicySpec, RolloutContext, require_installed

PolicyRecord = Configured[PolicySpec[Any]]


def require_local(policy: PolicyRecord) -> None:
    """Return if the policy runs elsewhere, or all that its record requires is installed here.

    Raises:
        PluginError: it is not; the message has the line that installs it.
    """
    with plugin_code(f"asking {policy.title} where it runs"):
        local = policy.spec.local(policy.config)
    try:
        if local:
            require_installed(policy.spec)
    except PluginError as error:
        other = f"\nOr let it run in a Python that has it: {policy.spec.elsewhere}" if policy.spec.elsewhere else ""
        raise PluginError(f"{error}{other}", ["settings"] if other else []) from None


def require_fit(policy: PolicyRecord, contract: TaskContract, task: str) -> None:
    """Return if the policy's cameras and widths are those of the task.

    Raises:
        ContractError: they are not; the message has them all.
    """
    with plugin_code(f"comparing {policy.title} with task '{task}'"):
        found = policy.spec.misfits(policy.config, contract)
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise PluginError(f"misfits of {policy.title} returned {type(found).__name__}; it must be a list of lines")
    if found:
        raise ContractError(f"{policy.title} does not fit task '{task}': {'; '.join(map(str, found))}")


def provenance_of(policy: PolicyRecord) -> PolicyProvenance:
    """Where the policy's actions come from.

    Raises:
        PluginError: its plugin cannot say.
    """
    with plugin_code(f"the provenance of {policy.title}"):
        found = policy.spec.provenance(policy.config)
    if not isinstance(found, PolicyProvenance):
        raise PluginError(f"the provenance of {policy.title} is a {type(found).__name__}, not a PolicyProvenance")
    return found


def make_policy_of(policy: PolicyRecord, context: RolloutContext) -> Policy:
    """Build the policy of a record.

    Raises:
        PluginError: what it requires is not installed, or it built something else.
    """
    require_local(policy)
    with plugin_code(f"building {policy.title}"):
        built = policy.spec.build(policy.config, context)
    return require_policy(built, policy.title)


def require_policy(built: object, what: str) -> Policy:
    """``built`` as a policy.

    Raises:
        PluginError: it lacks members of one; all of them are named.
    """
    absent = [] if hasattr(built, "latencies") else ["latencies"]
    absent += [f"{name}()" for name in ("reset", "act", "close") if not callable(getattr(built, name, None))]
    if absent:
        raise PluginError(
            f"{what} built a {type(built).__name__} without {', '.join(absent)}; trunkzoo.plugin.Policy has them all"
        )
    return cast(Policy, built)
