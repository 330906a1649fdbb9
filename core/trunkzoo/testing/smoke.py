"""The smoke test of a recipe: every promise of an agent tried once on the real modules, in seconds."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.example import BATCH, random_batch, random_noise, unit_statistics
from trunkzoo.agent.numbers import count_parameters
from trunkzoo.checkpoint import load_agent, save_model
from trunkzoo.errors import ContractError, ZooError
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import ResolvedRecipe, check_task

if TYPE_CHECKING:
    from trunkzoo.catalogue.catalogue import Catalogue


@dataclass(frozen=True)
class SmokeResult:
    """Outcome of one check of the smoke test."""

    recipe: str
    name: str
    ok: bool
    seconds: float
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return asdict(self)


def smoke(
    resolved: ResolvedRecipe, catalogue: Catalogue, expect_cond_dim: int | None = None, label: str = "expect_cond_dim"
) -> Iterator[SmokeResult]:
    """Yield the checks of one recipe as they finish; after a failed build nothing more can be tried.

    ``label`` is how messages call the expected width of the condition.
    """
    recipe, agent = resolved.recipe, cast(Agent | None, None)

    def build() -> str:
        nonlocal agent
        agent = assemble(resolved).eval()
        agent.fit_normalizers(unit_statistics(recipe.contract))
        trunks, head = count_parameters(agent.encoder.trunks), count_parameters(agent.head)
        return f"trunk{'s' * (len(agent.encoder.trunks) > 1)} {trunks:,} + head {head:,} parameters"

    yield _timed(recipe, "build", build)
    if agent is None:
        return
    built = agent
    yield _timed(recipe, "contract", lambda: _contract(resolved, built, expect_cond_dim, label))
    yield _timed(recipe, "train step", lambda: _train_step(built))
    yield _timed(recipe, "sample", lambda: _sample(built))
    yield _timed(recipe, "save and load", lambda: _save_and_load(built, catalogue))
    yield _timed(recipe, "action queue", lambda: _action_queue(built))


def _timed(recipe: Recipe, name: str, check: Callable[[], str]) -> SmokeResult:
    start = time.perf_counter()
    try:
        ok, detail = True, check()
    except ZooError as error:
        ok, detail = False, str(error)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it must fail its own row only
        ok, detail = False, f"{type(error).__name__}: {error}"
    return SmokeResult(recipe.name, name, ok, time.perf_counter() - start, detail)


def _contract(resolved: ResolvedRecipe, agent: Agent, expect_cond_dim: int | None, label: str) -> str:
    check_task(resolved.recipe, resolved.task)
    found = agent.probe
    if expect_cond_dim is not None and found.cond_dim != expect_cond_dim:
        raise ContractError(f"{agent.contract.sum_line()}, but {label} asks for {expect_cond_dim}")
    channels, height, width = found.feature_map
    return f"{agent.contract.sum_line()}; feature map {channels} × {height} × {width}"


def _train_step(agent: Agent) -> str:
    agent.train()
    optimizer = torch.optim.AdamW(agent.parameters(), lr=1e-3)
    before = [parameter.detach().clone() for parameter in agent.parameters()]
    for _ in range(2):  # outputs that start at zero pass a gradient on from the second step
        loss = agent.loss(random_batch(agent.contract))["loss"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        grads = [parameter.grad for parameter in agent.parameters() if parameter.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(grads))
        _require(bool(torch.isfinite(loss)) and 0 < norm < float("inf"), f"loss {loss:.4g}, gradient norm {norm:.4g}")
        optimizer.step()
    agent.eval()
    moved = sum(not torch.equal(old, new) for old, new in zip(before, agent.parameters(), strict=True))
    return f"loss {loss.item():.4g}, gradient norm {norm:.3g}, {moved}/{len(before)} tensors moved"


def _sample(agent: Agent) -> str:
    contract = agent.contract
    chunk = agent.predict(random_batch(contract), generator=torch.Generator().manual_seed(0))
    expected = (BATCH, contract.pred_horizon, contract.action_dim)
    _require(chunk.shape == expected, f"sampled {tuple(chunk.shape)}, expected {expected}")
    _require(bool(torch.isfinite(chunk).all()), "the sample is not finite")
    return f"chunk {contract.pred_horizon} × {contract.action_dim}, |a| ≤ {chunk.abs().max().item():.3g}"


def _save_and_load(agent: Agent, catalogue: Catalogue) -> str:
    obs, noise = random_batch(agent.contract), random_noise(agent.contract)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_model(path, agent)
        size = path.stat().st_size
        loaded = load_agent(path, catalogue).eval()
    same = torch.equal(agent.predict(obs, noise), loaded.predict(obs, noise))
    _require(same, "the loaded agent acts differently for the same observation and noise")
    return f"{size / 1e6:.1f} MB, actions bit-equal after loading"


def _action_queue(agent: Agent) -> str:
    contract = agent.contract
    agent.reset()
    predictions = 0
    batch, noise = random_batch(contract), random_noise(contract)
    obs = {key: value[:, -1] for key, value in batch.items() if key.startswith("observation.")}
    actions = []
    for _ in range(2 * contract.num_action_steps):
        predictions += agent.needs_chunk
        actions.append(agent.act(obs, noise))
    still = {key: value.unsqueeze(1).expand(-1, contract.obs_horizon, *value.shape[1:]) for key, value in obs.items()}
    chunk = agent.predict(still, noise)[:, : contract.num_action_steps]  # nothing moved, so both chunks are this one
    agent.reset()
    _require(predictions == 2, f"{predictions} predictions in {len(actions)} steps, expected 2")
    _require(torch.equal(torch.stack(actions, 1), chunk.repeat(1, 2, 1)), "the queue does not replay its chunk")
    return f"2 predictions for {len(actions)} actions"


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ContractError(message)
