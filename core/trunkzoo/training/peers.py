"""Several processes that train together: the loss of one is one line for the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from accelerate import Accelerator
from torch.distributed import DistError

from trunkzoo.errors import TrainingError, one_line

_SIGNS = ("gloo", "connection closed", "connection reset", "broken pipe", "timed out")  # gloo has no class of its own


@contextmanager
def together(accelerator: Accelerator) -> Iterator[None]:
    """A block in which processes of one training wait for each other.

    Raises:
        TrainingError: another one is gone, or cannot be reached.
    """
    try:
        yield
    except RuntimeError as error:
        lost = isinstance(error, DistError) or any(sign in str(error).lower() for sign in _SIGNS)
        if accelerator.num_processes == 1 or not lost:
            raise
        reason = one_line(error).partition(". This is")[0]  # what follows is for those who develop it
        raise TrainingError(
            f"another process of this training is gone ({reason}); what was saved is kept: start all of them "
            "again to resume it",
            ["resume"],
        ) from error
