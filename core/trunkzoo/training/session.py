"""One session of a run: steps, metrics, checkpoints, until the end or a request to stop."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

from trunkzoo.checkpoint.save import save_checkpoint
from trunkzoo.errors import TrainingError
from trunkzoo.system.signals import StopRequest
from trunkzoo.training.batches import Batch, Loader
from trunkzoo.training.directory import RunDirectory
from trunkzoo.training.holdout import Holdout
from trunkzoo.training.metrics import Meter, MetricsLog, peak_memory_mb
from trunkzoo.training.probes import depth_entropy
from trunkzoo.training.progress import Reporter
from trunkzoo.training.run import TrainResult
from trunkzoo.training.schedule import learning_rate
from trunkzoo.training.state import Progress, capture
from trunkzoo.training.step import Learner

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent


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
        self._mark = (time.perf_counter(), 0.0, progress.step)  # wall time, data wait and step of the last row

    def run(self, stop_at: int | None, request: StopRequest, report: bool) -> TrainResult:
        """Train until ``stop_at`` or the last step, or until ``request`` holds a signal."""
        began, cpu = time.perf_counter(), time.process_time()
        request.heeded = True
        end = stop_at or self.config.steps
        name = self.agent.recipe.name
        with Reporter(name, self.progress.step, self.config.steps, report and self.log is not None) as reporter:
            for parts in self.loader.steps(self.progress.step, end):
                result = self.learner.step(self.progress.step, parts, request.signal is not None)
                if result.finite:
                    self.since_log.add(result.values)
                    self.since_checkpoint.add(result.values)
                else:
                    self._skip(result.values, reporter)
                self.progress.step += 1
                reporter.update(self.progress.step, result.values, self.loader.waited)
                self._write(parts[0], reporter, last=result.stop or self.progress.step == end)
                if result.stop:
                    request.signal = request.signal or signal.SIGTERM  # another process was asked
                    break
        spent = time.perf_counter() - began
        return self._result(spent, time.process_time() - cpu, request.signal)

    def _write(self, batch: Batch, reporter: Reporter, last: bool) -> None:
        """Log and save what is due after the step on ``batch`` just done."""
        step, final = self.progress.step, self.progress.step == self.config.steps
        if step % self.config.log_every == 0 or final:
            self._write_row(batch)
        due = step % self.config.checkpoint_every == 0 or final
        if due:
            self._rank()
        if due or last:
            self._save(reporter)

    def _write_row(self, batch: Batch) -> None:
        now, waited, step = time.perf_counter(), self.loader.waited, self.progress.step
        then, waited_then, step_then = self._mark
        spent = max(now - then, 1e-9)
        self.row = {
            "step": step,
            **self.since_log.means(),
            **depth_entropy(self.agent, batch),
            "lr": learning_rate(step - 1, self.config),
            "skipped": self.progress.skipped,
            "steps_per_second": round((step - step_then) / spent, 4),
            "data_wait": round((waited - waited_then) / spent, 4),
            "memory_mb": round(peak_memory_mb(), 1),
        }
        if self.log:
            self.log.write(self.row)
        self._mark = (now, waited, step)
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
            error = self.holdout.error(self.agent)
        self.log.write({"step": self.progress.step, "holdout_error": error})
        return error

    def _save(self, reporter: Reporter) -> None:
        progress = self.progress
        progress.since_log, progress.since_checkpoint = self.since_log.state(), self.since_checkpoint.state()
        if self.log is None:
            return
        path = self.directory.checkpoint(progress.step)
        state, weights = capture(self.learner, progress), self.learner.acting_weights()
        save_checkpoint(path, self.agent, state, progress.step, weights)
        self.directory.publish(progress.step, progress.best_step, self.config.keep)
        reporter.say(f"saved {path}")

    def _skip(self, values: dict[str, float], reporter: Reporter) -> None:
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
            reporter.say(f"skipped: {what}")
            return
        shown = ", ".join(map(str, indices[:8])) + (f", … ({len(indices)} in all)" if len(indices) > 8 else "")
        saved = self.directory.latest()
        where = f"the last good checkpoint is {saved[1]}" if saved else "no checkpoint was saved yet"
        raise TrainingError(
            f"{what}, on windows {shown}; {where}. "
            "Lower train.lr or look at these windows; --skip-nonfinite N tolerates N such steps"
        )

    def _result(self, seconds: float, cpu_seconds: float, stopped_by: int | None) -> TrainResult:
        best = self.progress.best_step
        return TrainResult(
            output=self.directory.path,
            step=self.progress.step,
            checkpoint=self.directory.checkpoint(self.progress.step),
            best=self.directory.checkpoint(best) if best is not None else None,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            signal=stopped_by,
            metrics=self.row,
        )
