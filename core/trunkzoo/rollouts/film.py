"""A film of an episode: all cameras side by side, the reward so far below, a tick where each chunk began."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from trunkzoo.plugin.contract import IMAGE_KEY
from trunkzoo.plugin.protocols import Policy, Step, Task
from trunkzoo.rollouts.episode import Recorder, run_episode
from trunkzoo.rollouts.job import EpisodeResult, Item
from trunkzoo.system.files import new_file

SIDE = 240  # height of one camera in the film, pixels
STRIP = 48  # height of the reward strip
BACKGROUND, LINE, GOAL, TICK = (24, 24, 28), (90, 170, 255), (90, 210, 120), (230, 230, 235)


def film(
    task: Task,
    policy: Policy,
    item: Item,
    fps: int,
    alive: Callable[[], None] = lambda: None,
    beside: Sequence[Recorder] = (),
) -> EpisodeResult:
    """Run the episode of ``item`` and write its film; the episode is the same as without one."""
    assert item.video is not None
    with new_file(item.video) as part, Film(str(part), fps, item.job.max_steps) as recorder:
        return run_episode(task, policy, item.seed, item.job.max_steps, alive, [recorder, *beside])


class Film:
    """Encodes one frame per control step (H.264, as browsers play it)."""

    def __init__(self, path: str, fps: int, steps: int) -> None:
        self._path, self._fps, self._steps = path, fps, steps
        self._rewards: list[float] = []
        self._chunks: list[int] = []
        self._first_success: int | None = None

    def __enter__(self) -> Self:
        self._container = av.open(self._path, "w", format="mp4")
        self._stream: Any = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def start(self, task: Task) -> None:
        """Film the scene before the first step."""
        self._write(task)

    def add(self, task: Task, step: Step, new_chunk: bool) -> None:
        """Film the scene after a step."""
        if new_chunk:
            self._chunks.append(len(self._rewards))
        self._rewards.append(step.reward)
        if step.success and self._first_success is None:
            self._first_success = len(self._rewards) - 1
        self._write(task)

    def _write(self, task: Task) -> None:
        frame = compose(camera_images(task), self._rewards, self._chunks, self._first_success, self._steps)
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=self._fps, options={"crf": "23"})
            self._stream.height, self._stream.width, self._stream.pix_fmt = *frame.shape[:2], "yuv420p"
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))


def camera_images(task: Task) -> list[NDArray[np.uint8]]:
    """What every camera sees now, (H, W, 3) uint8 each."""
    obs = task.observe()
    return [np.asarray(obs[key], dtype=np.uint8) for key in obs if key.startswith(IMAGE_KEY)]


def compose(
    cameras: Sequence[NDArray[np.uint8]],
    rewards: Sequence[float],
    chunks: Sequence[int],
    first_success: int | None,
    steps: int,
) -> NDArray[np.uint8]:
    """One frame (SIDE + STRIP, W, 3) uint8, both sides even as H.264 wants; rewards are drawn on a scale 0…1 or more."""
    widths = [round(SIDE * image.shape[1] / image.shape[0]) for image in cameras]
    canvas = Image.new("RGB", (sum(widths) + sum(widths) % 2, SIDE + STRIP), BACKGROUND)
    left = 0
    for image, width in zip(cameras, widths, strict=True):
        canvas.paste(Image.fromarray(image).resize((width, SIDE), Image.Resampling.NEAREST), (left, 0))
        left += width
    _draw_rewards(canvas, rewards, chunks, first_success, steps)
    return np.asarray(canvas)


def _draw_rewards(
    canvas: Image.Image, rewards: Sequence[float], chunks: Sequence[int], first_success: int | None, steps: int
) -> None:
    draw = ImageDraw.Draw(canvas)
    top, bottom, step_width = SIDE + 4, SIDE + STRIP - 4, canvas.width / steps
    scale = max(1.0, max(rewards, default=1.0))
    for index, reward in enumerate(rewards):
        won = first_success is not None and index >= first_success
        height = (bottom - top) * max(0.0, reward) / scale
        box = [index * step_width, bottom - height, (index + 1) * step_width, bottom]
        draw.rectangle(box, fill=GOAL if won else LINE)
    for start in chunks:  # over the bars, which would hide them
        draw.line([(start * step_width, bottom - 6), (start * step_width, bottom)], fill=TICK)
