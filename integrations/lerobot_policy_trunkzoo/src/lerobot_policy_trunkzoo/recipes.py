"""From a recipe's name and a dataset's features to the recipe that fits the dataset. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trunkzoo.catalogue.tasks import contract_of
from trunkzoo.errors import ConfigError, DataError, UsageError, one_line
from trunkzoo.plugin import ACTION_KEY, IMAGE_KEY, STATE_KEY, parse, parse_table
from trunkzoo.plugin.contract import differences
from trunkzoo.registry.assignments import parse_assignments
from trunkzoo.registry.layers import Labels
from trunkzoo.registry.zoo import open_zoo

if TYPE_CHECKING:
    from lerobot.configs.types import PolicyFeature

    from trunkzoo.registry.recipe import Recipe
    from trunkzoo.registry.resolved import ResolvedRecipe

LABELS = Labels("--policy.settings", "--policy.trunk")
_OF_THE_DATA = ("contract.cameras", "contract.state_dim", "contract.action_dim", "contract.cond_dim")
_OBSERVATION = "observation."


def asked_recipe(
    name: str, trunk: str | None, settings: Mapping[str, str], of_the_data: Mapping[str, Any] | None = None
) -> ResolvedRecipe:
    """The recipe ``name`` with another trunk and settings over it, and at last what the dataset says.

    Raises:
        UsageError: an unknown recipe or trunk, or a setting that is the dataset's to say.
        ConfigError: a setting breaks its schema.
    """
    taken = [key for key in settings if key in _OF_THE_DATA]
    if taken:
        raise UsageError(f"--policy.settings {taken[0]}: it follows from the dataset's features; leave it out")
    overrides = parse_assignments([f"{key}={value}" for key, value in settings.items()], LABELS.override)
    return open_zoo().recipe(name, {**overrides, **(of_the_data or {})}, trunk, LABELS)


def frozen_recipe(text: str) -> Recipe:
    """The recipe that a policy's config.json holds; raises ConfigError if it is none."""
    from trunkzoo.registry.recipe import Recipe

    try:
        return parse(Recipe, parse_table(text), "frozen_recipe")
    except ValueError as error:
        raise ConfigError(f"frozen_recipe: {one_line(error)}") from None


def resolved_for(
    name: str,
    trunk: str | None,
    settings: Mapping[str, str],
    inputs: Mapping[str, PolicyFeature],
    outputs: Mapping[str, PolicyFeature],
) -> ResolvedRecipe:
    """The recipe with the cameras and widths of a dataset. It keeps its task only where that offers just these.

    Raises:
        DataError: the dataset has no camera, state or action.
        ConfigError, UsageError: as :func:`asked_recipe`.
    """
    contract = asked_recipe(name, trunk, settings).recipe.contract
    cameras = _in_order(list(camera_keys(inputs)), contract.cameras)
    state, action = _width(inputs, STATE_KEY), _width(outputs, ACTION_KEY)
    said = dict(zip(_OF_THE_DATA, (cameras, state, action, len(cameras) * contract.camera_dim + state), strict=True))
    return _with_fitting_task(asked_recipe(name, trunk, settings, said))


def camera_keys(inputs: Mapping[str, PolicyFeature]) -> dict[str, str]:
    """Camera's name → feature key: ``wrist`` for ``observation.images.wrist``, ``image`` for ``observation.image``.

    Raises:
        DataError: there is none.
    """
    keys = [key for key, feature in inputs.items() if feature.type.value == "VISUAL"]
    if not keys:
        raise DataError(f"the dataset has no camera among {', '.join(inputs) or 'no features'}; a trunk needs images")
    return {key.removeprefix(IMAGE_KEY).removeprefix(_OBSERVATION): key for key in keys}


def _in_order(cameras: list[str], preferred: tuple[str, ...]) -> list[str]:
    """The recipe's order where the names are the recipe's, else the dataset's."""
    return list(preferred) if set(cameras) == set(preferred) else cameras


def _width(features: Mapping[str, PolicyFeature], key: str) -> int:
    if key not in features:
        raise DataError(f"the dataset has no '{key}' (it has {', '.join(features)}); an agent of trunkzoo needs one")
    shape = features[key].shape
    if len(shape) != 1:
        raise DataError(f"'{key}' has shape {tuple(shape)}; an agent of trunkzoo reads one vector")
    return int(shape[0])


def _with_fitting_task(resolved: ResolvedRecipe) -> ResolvedRecipe:
    task = resolved.task
    if task is None or not differences(resolved.recipe.contract, contract_of(task)):
        return resolved
    return replace(resolved, recipe=resolved.recipe.model_copy(update={"task": None}), task=None)
