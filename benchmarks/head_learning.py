"""How fast a head learns where the eyes are perfect: poses in place of images, held-out action error at equal steps.

    python benchmarks/head_learning.py --task two-arm-handover --seeds 3 --steps 800 -o rows.jsonl
    python benchmarks/head_learning.py --arm imf --arm regression --episodes 60      # rollouts too
    python benchmarks/head_learning.py --arm 'wide={"name": "imf/imf", "width": 192, "heads": 6}'

Every arm is a head; demonstrations, their order, the optimiser and the encoder (the object's pose through a small
network in place of the cameras) are the same for all, with the settings of the recipe imf-resnet18-demo. ``error`` is
the mean |action error| of the executed actions on held-out demonstrations, in units of the normalised range [-1, 1];
``spread`` is the deviation over start noises at a fixed observation, in the same units.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trunkzoo.assembly import build_head
from trunkzoo.catalogue import Catalogue, load_catalogue
from trunkzoo.collect import demonstrate
from trunkzoo.contract import ACTION_KEY, STATE_KEY
from trunkzoo.data.stats import statistics as column_statistics
from trunkzoo.draws import Draws, sample_seeds
from trunkzoo.normalize import Normalizer
from trunkzoo.recipe import Part, Recipe
from trunkzoo.registry import load_registry
from trunkzoo.seeds import DEMONSTRATION_SEEDS, REPORT_SEEDS
from trunkzoo.spec import Step, TaskSpec
from trunkzoo.tasks import make_task
from trunkzoo.training.batches import Sampler
from trunkzoo.training.config import TrainConfig
from trunkzoo.training.ema import Ema
from trunkzoo.training.optimizer import adamw, set_rate
from trunkzoo.training.schedule import learning_rate

POSE_KEY, POSE_DIM = "pose", 9
BODIES = {"two-arm-handover": "hammer_root", "two-arm-lift": "pot_root"}
HELD_OUT, EVERY, NOISES, CHECKPOINTS = 10, 6, 4, 4
EVALUATIONS = (1, 2, 10)
"""Of the network per chunk: what a trained head that samples in steps is also judged at."""
BEFORE = {"output": "sample", "draws_per_sample": 2}
"""What the heads of the demo recipes had in common before this script was written."""
ENTRY = "entry"  # an arm's own key: "wide" lets the noise enter as torch's default makes it, as heads did before


def arms(recipes: Mapping[str, Recipe]) -> dict[str, dict[str, Any]]:
    """Name → the head and its settings: those of the recipes, and what they were."""
    now = {
        name: {"name": recipe.head.name, **recipe.head.config}
        for name, recipe in (
            ("imf", recipes["imf-resnet18-demo"]),
            ("flow", recipes["flow-resnet18-demo"]),
            ("regression", recipes["regression-resnet18-demo"]),
        )
    }
    size = {key: now["imf"][key] for key in ("width", "blocks", "heads")}
    imf = {"name": "imf/imf", **size, **BEFORE, "times": {"one_step_share": 0.4, "noise_share": 0.1}, ENTRY: "wide"}
    flow = {"name": "imf/flow", **size, **BEFORE, "times": {"noise_share": 0.2}, ENTRY: "wide"}
    return {**now, "imf-before": imf, "flow-before": flow}


# ── Data: demonstrations with the object's pose ─────────────────────────────────────────────────────────────────────


class Posed:
    """A two-arm task whose observation is the robot's state and the object's true pose; nothing is rendered."""

    def __init__(self, task: Any, body: str) -> None:
        self.contract, self.action_low, self.action_high = task.contract, task.action_low, task.action_high
        self._task, self._body = task, body

    def reset(self, seed: int) -> None:
        """Start the episode of ``seed``."""
        self._task.reset(seed)

    def observe(self) -> dict[str, NDArray[np.float32]]:
        """State (16,) and pose (9,): place in m, and the first two columns of the rotation."""
        body = self._task.data.body(self._body)
        pose = np.concatenate([body.xpos, body.xmat.reshape(3, 3)[:, :2].ravel()])
        return {STATE_KEY: self._task.observe()[STATE_KEY], POSE_KEY: pose.astype(np.float32)}

    def step(self, action: NDArray[np.float32]) -> Step:
        """One control step."""
        return cast(Step, self._task.step(action))

    def hold(self) -> NDArray[np.float32]:
        """The resting action."""
        return cast(NDArray[np.float32], self._task.hold())

    def expert(self, seed: int) -> Any:
        """The scripted demonstrator."""
        return self._task.expert(seed)

    def close(self) -> None:
        """Free the simulation."""
        self._task.close()


def demonstrations(task: Posed, spec: TaskSpec[Any], wanted: int, file: Path | None) -> list[dict[str, Tensor]]:
    """The first ``wanted`` demonstrations, from ``file`` where it holds enough of them."""
    kept: list[dict[str, Tensor]] = torch.load(file) if file and file.exists() else []
    if len(kept) < wanted:
        kept = list(_demonstrate(task, spec, wanted))
        if file:
            torch.save(kept, file)
    return kept[:wanted]


def _demonstrate(task: Posed, spec: TaskSpec[Any], wanted: int) -> Iterator[dict[str, Tensor]]:
    """``wanted`` successful episodes: state (T, 16), pose (T, 9), clean commands (T, 16)."""
    seed = DEMONSTRATION_SEEDS
    while wanted:
        demo = demonstrate(task, seed, 1.0, spec.demo_steps)
        seed += 1
        if demo.first_success is not None:
            wanted -= 1
            yield {key: torch.from_numpy(values) for key, values in demo.frames.items()}


class Windows:
    """One window per frame of some episodes: what is seen, the chunk that follows, and which of it is real."""

    def __init__(self, episodes: Sequence[dict[str, Tensor]], horizon: int) -> None:
        self.state, self.pose = (torch.cat([ep[key] for ep in episodes]) for key in (STATE_KEY, POSE_KEY))
        chunks, valid = zip(*(_chunks(ep[ACTION_KEY], horizon) for ep in episodes), strict=True)
        self.actions, self.valid = torch.cat(chunks), torch.cat(valid)
        self.stats = {key: column_statistics(torch.cat([ep[key] for ep in episodes]).numpy()) for key in episodes[0]}

    def __len__(self) -> int:
        return len(self.state)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """State, pose, chunk and valid mask of the windows ``index``."""
        return self.state[index], self.pose[index], self.actions[index], self.valid[index]


def _chunks(actions: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
    """(T, A) → chunks (T, horizon, A), the last action repeated past the end, and where they are real."""
    ahead = torch.arange(len(actions))[:, None] + torch.arange(horizon)
    return actions[ahead.clamp_max(len(actions) - 1)], ahead < len(actions)


# ── The agent and its training ──────────────────────────────────────────────────────────────────────────────────────


class PoseAgent(nn.Module):
    """Pose → small network in place of the cameras, then state, then the head."""

    def __init__(self, recipe: Recipe, head: dict[str, Any], catalogue: Catalogue, seed: int) -> None:
        super().__init__()
        contract = recipe.contract
        self.steps, self.noise = contract.num_action_steps, recipe.encoder.state_noise
        self.chunk_shape = (contract.pred_horizon, contract.action_dim)
        torch.manual_seed(seed)
        eyes = contract.cond_dim - contract.state_dim
        self.eyes = nn.Sequential(nn.Linear(POSE_DIM, 128), nn.SiLU(), nn.Linear(128, eyes))
        config = {key: value for key, value in head.items() if key not in ("name", ENTRY)}
        part = Part(name=head["name"], config=config)
        built: Any = build_head(recipe.model_copy(update={"head": part}), catalogue)
        if head.get(ENTRY) == "wide":
            torch.manual_seed(seed + 1)
            built.network.action_in.reset_parameters()
        self.head: Any = built
        dims = {STATE_KEY: contract.state_dim, POSE_KEY: POSE_DIM, ACTION_KEY: contract.action_dim}
        self.state, self.pose, self.action = (Normalizer("min_max", dim, key) for key, dim in dims.items())

    def fit(self, windows: Windows) -> None:
        """Take the ranges of the training data."""
        for normalizer in (self.state, self.pose, self.action):
            normalizer.fit(windows.stats)

    def condition(self, state: Tensor, pose: Tensor, draws: Draws | None = None) -> Tensor:
        """(B, 16) and (B, 9) → (B, 1, 208)."""
        state = self.state.normalize(state)
        if draws is not None:
            state = state + self.noise * draws.normal(state.shape[1])
        return torch.cat([self.eyes(self.pose.normalize(pose)), state], dim=-1)[:, None]

    def loss(self, windows: Windows, index: Tensor, seeds: Tensor) -> Tensor:
        """The head's loss on some windows."""
        state, pose, actions, valid = windows.take(index)
        draws = Draws(seeds)
        cond = self.condition(state, pose, draws)
        return cast(Tensor, self.head(cond, self.action.normalize(actions), valid, draws)["loss"])

    @torch.no_grad()
    def chunk(self, state: Tensor, pose: Tensor, noise: Tensor) -> Tensor:
        """A sampled chunk (B, H, A) in [-1, 1]."""
        return cast(Tensor, self.head.sample(self.condition(state, pose), noise)).clamp(-1, 1)


class Learner:
    """An agent, its optimiser and its average."""

    def __init__(self, agent: PoseAgent, config: TrainConfig, seed: int, windows: Windows) -> None:
        self.agent, self.config, self.windows = agent, config, windows
        self.optimizer, self.ema = adamw(agent, config), Ema(agent, config.ema)
        self.sampler = Sampler(seed, len(windows), config.batch_size)

    def step(self, step: int) -> None:
        """The update that follows ``step`` finished ones."""
        torch.autograd.backward(self.agent.loss(self.windows, self.sampler.indices(step), self.sampler.seeds(step)))
        nn.utils.clip_grad_norm_(self.agent.parameters(), self.config.clip_norm)
        set_rate(self.optimizer, learning_rate(step, self.config))
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update()

    def acting(self) -> PoseAgent:
        """The agent with its averaged weights; training goes on from the live ones after :meth:`back`."""
        self.live = {name: value.clone() for name, value in self.agent.state_dict().items()}
        self.agent.load_state_dict(self.ema.weights(self.agent))
        return self.agent

    def back(self) -> None:
        """Undo :meth:`acting`."""
        self.agent.load_state_dict(self.live)


class Score(NamedTuple):
    """What an agent does on held-out demonstrations."""

    error: float
    spread: float


def held_out_score(agent: PoseAgent, windows: Windows, noises: int = NOISES) -> Score:
    """Error and spread over every sixth window."""
    state, pose, actions, valid = windows.take(torch.arange(0, len(windows), EVERY))
    wanted, valid = agent.action.normalize(actions)[:, : agent.steps], valid[:, : agent.steps]
    found = []
    for draw in range(noises):
        noise = Draws(sample_seeds(draw, torch.arange(len(state)))).normal(*actions.shape[1:])
        found.append(agent.chunk(state, pose, noise)[:, : agent.steps])
    error = torch.stack([(chunk - wanted).abs().mean(-1)[valid].mean() for chunk in found]).mean()
    spread = torch.stack(found).std(0, correction=min(1, noises - 1))
    return Score(float(error), float(spread.mean(-1)[valid].mean()))


def at_evaluations(agent: PoseAgent, windows: Windows) -> dict[int, float]:
    """Evaluations of the network per chunk → error, for heads that sample in steps."""
    own = agent.head.config
    if "sample_steps" not in type(own).model_fields:
        return {}
    errors = {}
    for steps in EVALUATIONS:
        agent.head.config = own.model_copy(update={"sample_steps": steps})
        errors[steps] = held_out_score(agent, windows, noises=1).error
    agent.head.config = own
    return errors


def rollouts(agent: PoseAgent, task: Posed, cap: int, episodes: int) -> tuple[list[bool], list[float]]:
    """Success and average reward of each report episode."""
    pairs = [_rollout(agent, task, cap, seed) for seed in REPORT_SEEDS[:episodes]]
    return [success for success, _ in pairs], [reward for _, reward in pairs]


def _rollout(agent: PoseAgent, task: Posed, cap: int, seed: int) -> tuple[bool, float]:
    task.reset(seed)
    rewards, success = [], False
    for step in range(cap):
        if step % agent.steps == 0:
            seen = task.observe()
            state, pose = (torch.from_numpy(seen[key])[None] for key in (STATE_KEY, POSE_KEY))
            noise = Draws(sample_seeds(0, seed, step).reshape(1)).normal(*agent.chunk_shape)
            queue = agent.action.denormalize(agent.chunk(state, pose, noise))[0].numpy()
        done = task.step(queue[step % agent.steps])
        rewards.append(done.reward)
        success |= done.success
    return success, sum(rewards) / cap


# ── The table ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Bench:
    """The data of a task, and trainings on it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.catalogue = options, load_catalogue()
        recipes = load_registry()
        self.recipes = {name: recipes.recipe(name, {}, None, self.catalogue) for name in recipes.recipe_names()}
        self.recipe = self.recipes["imf-resnet18-demo"]
        self.spec = self.catalogue.task(options.task).spec
        self.task = Posed(make_task(self.spec, self.spec.config()), BODIES[options.task])
        episodes = demonstrations(self.task, self.spec, options.demonstrations + HELD_OUT, options.data)
        horizon = self.recipe.contract.pred_horizon
        self.training = Windows(episodes[: options.demonstrations], horizon)
        self.held_out = Windows(episodes[options.demonstrations :], horizon)

    def run(self, arm: str, head: dict[str, Any], seed: int) -> dict[str, Any]:
        """Train one arm; a row with its error along the way."""
        agent = PoseAgent(self.recipe, head, self.catalogue, seed)
        agent.fit(self.training)
        config = self.recipe.train.model_copy(update={"steps": self.options.steps})
        learner = Learner(agent, config, seed, self.training)
        errors, seconds = {}, 0.0
        for step in range(config.steps):
            start = time.process_time()
            learner.step(step)
            seconds += time.process_time() - start
            if (step + 1) % (config.steps // CHECKPOINTS) == 0:
                errors[step + 1] = held_out_score(learner.acting(), self.held_out, noises=1).error
                learner.back()
        score = held_out_score(learner.acting(), self.held_out)
        row = {"task": self.options.task, "arm": arm, "seed": seed, "head": head, "steps": config.steps}
        row |= {"demonstrations": self.options.demonstrations, "errors": errors, **score._asdict(), "cpu": seconds}
        return row | {"at_evaluations": at_evaluations(agent, self.held_out)} | self.rollouts(agent)

    def rollouts(self, agent: PoseAgent) -> dict[str, Any]:
        """Success and reward, where episodes are asked for."""
        if not self.options.episodes:
            return {}
        success, reward = rollouts(agent, self.task, self.spec.max_steps, self.options.episodes)
        return {"successes": sum(success), "episodes": len(success), "reward": statistics.mean(reward)}


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line per arm: means over seeds, and the deviation of the error."""
    yield f"{'arm':24} {'n':>2} {'error':>7} {'± sd':>6} {'spread':>7} {'CPU s':>6}  error along training"
    for arm in dict.fromkeys(row["arm"] for row in rows):
        mine = [row for row in rows if row["arm"] == arm]
        error, spread, seconds = ([row[key] for row in mine] for key in ("error", "spread", "cpu"))
        sd = statistics.stdev(error) if len(mine) > 1 else math.nan
        way = " ".join(f"{statistics.mean(row['errors'][at] for row in mine):.4f}" for at in mine[0]["errors"])
        means = (
            f"{statistics.mean(error):7.4f} {sd:6.4f} {statistics.mean(spread):7.4f} {statistics.mean(seconds):6.0f}"
        )
        yield f"{arm:24} {len(mine):2} {means}  {way}{_at(mine)}{_rolled(mine)}"


def _at(rows: Sequence[Mapping[str, Any]]) -> str:
    """Errors at other numbers of evaluations."""
    pairs = [f"{n}: {statistics.mean(row['at_evaluations'][n] for row in rows):.4f}" for n in rows[0]["at_evaluations"]]
    return f"  evaluations {', '.join(pairs)}" if pairs else ""


def _rolled(rows: Sequence[Mapping[str, Any]]) -> str:
    if "episodes" not in rows[0]:
        return ""
    successes, episodes = (sum(row[key] for row in rows) for key in ("successes", "episodes"))
    return f"  {successes}/{episodes} reward {statistics.mean(row['reward'] for row in rows):.3f}"


def chosen(names: Sequence[str], known: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The arms asked for: known names, or ``name={JSON}``."""
    split = [name.partition("=") for name in names or known]
    return {name: json.loads(text) if text else known[name] for name, _, text in split}


def main() -> None:
    """Train every arm with every seed; print rows as they come and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=BODIES, default="two-arm-handover")
    parser.add_argument("--arm", action="append", default=[], help="a known arm or NAME={JSON}; default all known")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--demonstrations", type=int, default=40)
    parser.add_argument("--episodes", type=int, default=0, help="rollouts per training")
    parser.add_argument("--data", type=Path, help="keep the demonstrations in this file, and take them from it")
    parser.add_argument("-o", "--out", type=Path, help="append every row as a JSON line")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench, rows = Bench(options), []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for arm, head in chosen(options.arm, arms(bench.recipes)).items():
            rows.append(bench.run(arm, head, seed))
            print(json.dumps(rows[-1]), flush=True)
            if options.out:
                with options.out.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    print(*table(rows), sep="\n")


if __name__ == "__main__":
    main()
