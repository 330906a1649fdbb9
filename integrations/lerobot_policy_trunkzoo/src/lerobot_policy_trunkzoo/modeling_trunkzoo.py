"""An agent of trunkzoo as a policy of lerobot; what it saves is a checkpoint of trunkzoo as well."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lerobot.policies import PreTrainedPolicy
from torch import Tensor

from lerobot_policy_trunkzoo.averaging import Averaged
from lerobot_policy_trunkzoo.configuration_trunkzoo import TrunkzooConfig
from lerobot_policy_trunkzoo.frames import Frames
from lerobot_policy_trunkzoo.noise import EpisodeNoise
from lerobot_policy_trunkzoo.recipes import camera_keys, resolved_for
from lerobot_policy_trunkzoo.saving import load_policy, save_policy
from trunkzoo.agent.assemble import assemble
from trunkzoo.nn.draws import sample_seeds
from trunkzoo.plugin import ACTION_KEY, PAD_KEY, SEED_KEY
from trunkzoo.registry.resolved import resolve, without_initial
from trunkzoo.registry.zoo import open_zoo
from trunkzoo.training.optimizer import adamw

_log = logging.getLogger(__name__)


class TrunkzooPolicy(PreTrainedPolicy):
    """An agent of trunkzoo. In training mode its live weights act, in evaluation mode their average."""

    config_class = TrunkzooConfig
    name = "trunkzoo"

    def __init__(
        self, config: TrunkzooConfig, dataset_stats: Mapping[str, Any] | None = None, dataset_meta: Any = None, **_: Any
    ) -> None:
        """Build the agent for the features of ``config``; the first time, they become part of its recipe.

        Raises:
            ZooError: recipe, settings and features do not fit together.
        """
        super().__init__(config)
        fresh = not config.frozen_recipe
        resolved = _freeze(config) if fresh else _thaw(config)
        self.agent = assemble(resolved, config.seed or 0)
        self.agent.recipe = config.wanted  # with the settings that only chose initial weights
        for parameter in self.agent.parameters():  # lerobot stores no state of a channels_last weight
            parameter.data = parameter.data.contiguous()
        self.average = Averaged(self.agent, self.agent.recipe.train.ema)
        self.updates = 0
        """Optimiser steps behind the weights; draws are a function of it."""
        self._frames = Frames(self.agent.contract, camera_keys(config.input_features))
        self._noise = EpisodeNoise(config.noise_seed, self.agent.contract)
        self._history: deque[dict[str, Tensor]] = deque(maxlen=self.agent.contract.obs_horizon)
        if fresh:
            _announce(config, self.agent.contract.sum_line())
        if fresh and dataset_stats is not None:
            self.agent.fit_normalizers(_plain(dataset_stats))

    def get_optim_params(self) -> list[dict[str, Any]]:
        """Groups of parameters: matrices decay, norms, biases and depth queries do not."""
        train = self.agent.recipe.train
        groups = adamw(self.agent, train).param_groups
        return [
            {"params": g["params"], "weight_decay": g["weight_decay"], "lr": train.lr * g.get("lr_scale", 1.0)}
            for g in groups
            if g["params"]
        ]

    def forward(self, batch: Mapping[str, Tensor], **_: Any) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, padded actions left out, and the head's other scalars."""
        window = self._frames.window(batch)
        seeds = sample_seeds(self.config.seed or 0, self.updates, batch["index"].cpu())
        rest = {ACTION_KEY: batch[ACTION_KEY], PAD_KEY: batch[PAD_KEY], SEED_KEY: seeds.to(batch[ACTION_KEY].device)}
        scalars = self.agent({**window, **rest})
        loss = scalars.pop("loss")
        return loss, {name: float(value) for name, value in scalars.items()}

    def update(self) -> None:
        """Move the average; lerobot calls this after every optimiser step."""
        self.updates += 1
        self.average.update()

    def train(self, mode: bool = True) -> TrunkzooPolicy:
        """Let the live weights act in training mode, their average otherwise."""
        self.average.act(not mode)
        super().train(mode)
        return self

    def reset(self) -> None:
        """An episode begins."""
        self.agent.reset()
        self._noise.reset()
        self._history.clear()

    @torch.no_grad()
    def select_action(self, batch: Mapping[str, Tensor], noise: Tensor | None = None, **_: Any) -> Tensor:
        """The action (B, action_dim) of this step; a new chunk is predicted every ``num_action_steps``.

        Where the environment says the seeds of its episodes (``observation.episode_seed``), noise is that of
        ``zoo eval``; else torch's global generator draws it.
        """
        frame = self._frames.frame(batch) if self.agent.needs_observation else {}
        if self.agent.needs_chunk and noise is None:
            noise = self._noise.next(batch)
        return self.agent.act(frame, noise)

    @torch.no_grad()
    def predict_action_chunk(self, batch: Mapping[str, Tensor], noise: Tensor | None = None, **_: Any) -> Tensor:
        """The chunk (B, pred_horizon, action_dim) that follows this observation and those of earlier calls."""
        self._history.append(self._frames.frame(batch))
        while len(self._history) < self.agent.contract.obs_horizon:
            self._history.append(self._history[-1])
        window = {key: torch.stack([frame[key] for frame in self._history], dim=1) for key in self._history[-1]}
        return self.agent.predict(window, noise)

    def _save_pretrained(self, save_directory: Path, state_dict: Mapping[str, Tensor] | None = None) -> None:
        """Write config.json beside a checkpoint of trunkzoo: what acts, and what training continues from."""
        if state_dict is not None:
            raise NotImplementedError("sharded training (FSDP) is not supported: these agents fit one GPU, use DDP")
        self.config._save_pretrained(save_directory)
        save_policy(save_directory, self.agent, self.average, self.updates)

    @classmethod
    def _load_as_safetensor(
        cls, model: TrunkzooPolicy, model_file: str, map_location: str, strict: bool
    ) -> TrunkzooPolicy:
        """Load strictly, whatever ``strict`` says: an agent with random parts would act without a word."""
        model.updates = load_policy(Path(model_file), model.agent, model.average)
        return model

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> TrunkzooPolicy:
        super()._apply(fn, recurse)
        self.average.apply(fn)  # to another device, with the weights
        return self


def _freeze(config: TrunkzooConfig) -> Any:
    if config.seed is None:
        config.seed = torch.initial_seed() % 2**63
    resolved = resolved_for(
        config.recipe, config.trunk, config.settings, config.input_features or {}, config.output_features or {}
    )
    config.freeze(resolved.recipe)
    return resolved


def _thaw(config: TrunkzooConfig) -> Any:
    catalogue = open_zoo().catalogue
    return resolve(without_initial(config.wanted, catalogue), catalogue)


def _announce(config: TrunkzooConfig, sum_line: str) -> None:
    recipe = config.wanted
    _log.info(f"{recipe.name}, trunk {recipe.trunk.name}: {sum_line}; cameras {', '.join(recipe.contract.cameras)}")
    _log.info(f"the recipe itself trains {recipe.train.steps} steps of {recipe.train.batch_size} samples")


def _plain(stats: Mapping[str, Any]) -> dict[str, Any]:
    """Statistics as trunkzoo reads them: lists of numbers."""
    return {key: {name: torch.as_tensor(value).tolist() for name, value in row.items()} for key, row in stats.items()}
