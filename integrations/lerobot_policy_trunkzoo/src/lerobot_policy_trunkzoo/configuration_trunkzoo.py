"""What ``lerobot-train --policy.type=trunkzoo`` can be told, and the recipe that it means."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lerobot.configs import PreTrainedConfig
from lerobot.configs.types import FeatureType, NormalizationMode

from lerobot_policy_trunkzoo.optimisation import TrunkzooAdamWConfig, TrunkzooSchedulerConfig
from lerobot_policy_trunkzoo.recipes import asked_recipe, frozen_recipe
from trunkzoo.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from trunkzoo.registry.recipe import Recipe


def _identity() -> dict[str, NormalizationMode]:
    return {
        kind.value: NormalizationMode.IDENTITY for kind in (FeatureType.VISUAL, FeatureType.STATE, FeatureType.ACTION)
    }


@PreTrainedConfig.register_subclass("trunkzoo")
@dataclass
class TrunkzooConfig(PreTrainedConfig):
    """A recipe of trunkzoo under lerobot's loop; cameras and widths come from the dataset, all else from the recipe."""

    recipe: str = ""
    """A recipe of registry.toml (``zoo list``)."""
    trunk: str | None = None
    """Another trunk in its place, as in ``zoo train RECIPE --trunk TRUNK``."""
    settings: dict[str, str] = field(default_factory=dict)
    """Dotted keys over the recipe, as in ``zoo train --set``: ``{"trunk.norm": "batch", "train.lr": "3e-4"}``."""
    seed: int | None = None
    """Of initial weights and training draws; without it, of torch's seed, which is lerobot's ``--seed``."""
    noise_seed: int = 0
    """Base of the policy noise, as in ``zoo eval``, where the environment says which episode it plays."""
    frozen_recipe: str = ""
    """The whole recipe with the dataset's cameras and widths, as JSON. Written once; what is above cannot change it."""
    frozen_request: str = ""
    """What was asked for when the recipe was frozen, as JSON."""

    normalization_mapping: dict[str, NormalizationMode] = field(default_factory=_identity)
    """IDENTITY for all: the agent normalises, with statistics that lie in its weights."""
    push_to_hub: bool = False  # type: ignore[assignment]  # as lerobot declares it

    def __post_init__(self) -> None:
        super().__post_init__()
        self._refuse_second_normalisation()
        self._recipe = self._find_recipe()
        self.n_obs_steps = self._recipe.contract.obs_horizon

    @property
    def request(self) -> str:
        """Recipe, trunk and settings as JSON."""
        return json.dumps([self.recipe, self.trunk, self.settings], sort_keys=True)

    @property
    def wanted(self) -> Recipe:
        """The recipe, frozen or as it is asked for; then its cameras and widths are those of the registry."""
        return self._recipe

    def freeze(self, recipe: Recipe) -> None:
        """Keep ``recipe`` for good."""
        self._recipe = recipe
        self.frozen_recipe, self.frozen_request = recipe.model_dump_json(), self.request

    def _find_recipe(self) -> Recipe:
        if not self.frozen_recipe:
            if not self.recipe:
                raise UsageError(
                    "--policy.recipe: name a recipe of trunkzoo, such as imf-attnres-demo; `zoo list` shows all"
                )
            return asked_recipe(self.recipe, self.trunk, self.settings).recipe
        if self.frozen_request != self.request:
            raise UsageError(
                f"this policy was trained as {self.frozen_request} (recipe, trunk, settings), asked for is now {self.request}: "
                "its weights belong to that recipe; leave these options out, or train anew"
            )
        return frozen_recipe(self.frozen_recipe)

    def _refuse_second_normalisation(self) -> None:
        wrong = {
            key: mode for key, mode in self.normalization_mapping.items() if mode is not NormalizationMode.IDENTITY
        }
        if wrong:
            raise ConfigError(
                f"normalization_mapping {wrong}: the agent normalises by itself, and twice would train without an error; "
                'leave it out, and choose by --policy.settings=\'{"normalize.action": "mean_std"}\''
            )

    @property
    def observation_delta_indices(self) -> list[int]:
        """The last ``obs_horizon`` frames, the newest last."""
        return list(range(1 - self._recipe.contract.obs_horizon, 1))

    @property
    def action_delta_indices(self) -> list[int]:
        """The chunk begins with the action of the newest frame."""
        return list(range(self._recipe.contract.pred_horizon))

    @property
    def reward_delta_indices(self) -> None:
        """No rewards are read."""
        return None

    def get_optimizer_preset(self) -> TrunkzooAdamWConfig:
        """The recipe's AdamW."""
        train = self._recipe.train
        return TrunkzooAdamWConfig(
            lr=train.lr, betas=train.betas, weight_decay=train.weight_decay, grad_clip_norm=train.clip_norm
        )

    def get_scheduler_preset(self) -> TrunkzooSchedulerConfig:
        """The recipe's warm-up and cosine, over the steps that lerobot is told."""
        train = self._recipe.train
        return TrunkzooSchedulerConfig(num_warmup_steps=train.warmup_steps, final_lr_fraction=train.final_lr_fraction)

    def validate_features(self) -> None:
        """Nothing: the policy holds them against the recipe when it is built."""
