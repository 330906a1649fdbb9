"""One session of a run: steps, metrics, checkpoints, until the end or a request to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trunkzoo.checkpoint.save import save_checkpoint
from trunkzoo.errors import TrainingError
from trunkzoo.system.progress import Bars
from trunkzoo.system.signals import StopRequest
from trunkzoo.training.batches import Batch, Loader
from trunkzoo.training.config import TrainResult
from trunkzoo.training.directory import RunDirectory
from trunkzoo.training.metrics import Meter, MetricsLog, duration, losses, peak_memory_mb
from trunkzoo.training.optimizer import learning_rate
from trunkzoo.training.probes import Holdout, depth_entropy
from trunkzoo.training.state import Progress, capture
from trunkzoo.training.step import Learner

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent

_PLAIN_SECONDS = 10.0  # between lines of progress outside a terminal


class Session:
    """Steps a :class:`Learner` through its batches and keeps the run directory; on several processes one writes."""

    def __init__(
        self,
        agent: Agent,
        learner: Learner,
        loader: Loader,
        directory: RunDirectory,
        progress: Progress,
        holdout: Holdout | None,
        log: MetricsLog | None,
    ) -> None:
        """``log`` is None on every process but the one that writes."""
        self.agent, self.learner, self.loader, self.directory = agent, learner, loader, directory
        self.progress, self.holdout, self.log = progress, holdout, log
        self.config = agent.recipe.train
        self.since_log = Meter(**progress.since_log)
        self.since_checkpoint = Meter(**progress.since_checkpoint)
        self.row: dict[str, Any] = {}
        self._judged = ""  # what the held-out episodes say of the checkpoint that is about to be saved
        self._saved = progress.step  # the step of the newest checkpoint; 0 before the first
        self._mark = (
            time.perf_counter(),
            time.process_time(),
            0.0,
            progress.step,
        )  # clocks, data wait and step of the last row

    def run(self, stop_at: int | None, request: StopRequest, report: bool) -> TrainResult:
        """Train until ``stop_at`` or the last step, or until ``request`` holds a signal."""
        began, cpu, first = time.perf_counter(), time.process_time(), self.progress.step
        request.heeded = True
        end = stop_at or self.config.steps
        with Bars(_PLAIN_SECONDS, quiet=not report or self.log is None) as bars:
            bar = bars.add(f"{self.agent.recipe.name}: step", self.config.steps, first)
            for parts in self.loader.steps(self.progress.step, end):
                result = self.learner.step(self.progress.step, parts, request.signal is not None)
                if result.finite:
                    self.since_log.add(result.values)
                    self.since_checkpoint.add(result.values)
                else:
                    self._skip(result.values, bars)
                self.progress.step += 1
                remark = self._remark(result.values, self.progress.step - first, time.perf_counter() - began)
                bars.update(bar, self.progress.step, remark)
                bars.say_if_due()
                self._write(parts[0], bars, last=result.stop or self.progress.step == end)
                if result.stop:
                    request.signal = request.signal or signal.SIGTERM  # another process was asked
                    break
        spent = time.perf_counter() - began
        return self._result(first, spent, time.process_time() - cpu, request.signal)

    def _remark(self, values: Mapping[str, float], steps: int, seconds: float) -> str:
        """Loss and plain error, speed, the share of time spent waiting for data, and the time that is left."""
        speed = steps / max(seconds, 1e-9)
        left = duration((self.config.steps - self.progress.step) / max(speed, 1e-9))
        wait = self.loader.waited / max(seconds, 1e-9)
        return f"· {losses(values)} · {speed:.3g} steps/s · data wait {wait:.0%} · {left} left"

    def _write(self, batch: Batch, bars: Bars, last: bool) -> None:
        """Log and save what is due after the step on ``batch`` just done."""
        step, final = self.progress.step, self.progress.step == self.config.steps
        if step % self.config.log_every == 0 or final:
            self._write_row(batch)
        due = step % self.config.checkpoint_every == 0 or final
        if due:
            self._rank()
        if due or last:
            self._save(bars)

    def _write_row(self, batch: Batch) -> None:
        now, cpu, waited, step = time.perf_counter(), time.process_time(), self.loader.waited, self.progress.step
        then, cpu_then, waited_then, step_then = self._mark
        spent = max(now - then, 1e-9)
        self.row = {
            "step": step,
            **self.since_log.means(),
            **depth_entropy(self.agent, batch),
            "lr": learning_rate(step - 1, self.config),
            "skipped": self.progress.skipped,
            "steps_per_second": round((step - step_then) / spent, 4),
            "cpu_per_step": round((cpu - cpu_then) / (step - step_then), 4),
            "data_wait": round((waited - waited_then) / spent, 4),
            "memory_mb": round(peak_memory_mb(), 1),
        }
        if self.log:
            self.log.write(self.row)
        self._mark = (now, cpu, waited, step)
        self.since_log.reset()

    def _rank(self) -> None:
        """Is this scheduled checkpoint the best so far?"""
        step, best = self.progress.step, self.progress.best_score
        score = self._score()
        if score is not None and (best is None or score < best):
            self.progress.best_score, self.progress.best_step = score, step
        self.since_checkpoint.reset()

    def _score(self) -> float | None:
        """Held-out action error, or the mean training loss since the last scheduled checkpoint; lower is better."""
        if self.holdout is None:
            return self.since_checkpoint.means().get("loss")
        if self.log is None:
            return None
        with self.learner.acting():
            found = self.holdout.measure(self.agent)
        self.log.write({"step": self.progress.step, "holdout_error": found.error, "holdout_spread": found.spread})
        self._judged = f", held-out action error {found.error:.4g}"
        return found.error

    def _save(self, bars: Bars) -> None:
        progress = self.progress
        progress.since_log, progress.since_checkpoint = self.since_log.state(), self.since_checkpoint.state()
        if self.log is None:
            return
        path = self.directory.checkpoint(progress.step)
        state, weights = capture(self.learner, progress), self.learner.acting_weights()
        save_checkpoint(path, self.agent, state, progress.step, weights)
        self.directory.publish(progress.step, progress.best_step, self.config.keep)
        self._saved = progress.step
        bars.say(f"saved {path}{self._judged}")
        self._judged = ""

    def _skip(self, values: dict[str, float], bars: Bars) -> None:
        """Count a step that moved nothing, or give up.

        Raises:
            TrainingError: more such steps than ``skip_nonfinite`` allows.
        """
        step = self.progress.step
        indices = self.loader.indices(step)
        what = f"loss {values['loss']:g}, gradient norm {values['grad_norm']:g} at step {step}"
        if self.log:
            self.log.write({"step": step + 1, "event": f"skipped: {what}", "windows": indices})
        self.progress.skipped += 1
        if self.progress.skipped <= self.config.skip_nonfinite:
            bars.say(f"skipped: {what}")
            return
        shown = ", ".join(map(str, indices[:8])) + (f", … ({len(indices)} in all)" if len(indices) > 8 else "")
        saved = self.directory.checkpoint(self._saved) if self._saved else None
        where = f"the last good checkpoint is {saved}" if saved else "no checkpoint was saved yet"
        raise TrainingError(
            f"{what}, on windows {shown}; {where}. "
            "Lower train.lr or look at these windows; train.skip_nonfinite = N tolerates N such steps",
            ["train.skip_nonfinite"],
        )

    def _result(self, began: int, seconds: float, cpu_seconds: float, stopped_by: int | None) -> TrainResult:
        best = self.progress.best_step
        return TrainResult(
            output=self.directory.path,
            step=self.progress.step,
            began=began,
            checkpoint=self.directory.checkpoint(self.progress.step),
            best=self.directory.checkpoint(best) if best is not None else None,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            signal=stopped_by,
            metrics=self.row,
        )
