"""Ridge regression with a penalty by generalised cross-validation, and its error on samples that it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PENALTIES = np.logspace(-4, 5, 37)  # squared singular values of standardised features lie among these
ROUNDING = 1e-6  # of single precision: a feature that varies less is constant
FOLDS = 5
FEWEST = 20
"""Samples: fewer leave folds of under four."""


def ridge(features: Array, targets: Array) -> Callable[[Array], Array]:
    """A linear map from features (N, D), standardised first, to targets (N, K), as a function of new features.

    The penalty is the one of least generalised cross-validation error (Golub, Heath and Wahba 1979).
    """
    centre, scale, mean = features.mean(0), features.std(0), targets.mean(0)
    scale = np.where(scale > ROUNDING * np.maximum(1, np.abs(centre)), scale, 1.0)
    left, values, right = np.linalg.svd((features - centre) / scale, full_matrices=False)
    projected = left.T @ (targets - mean)

    def validation_error(penalty: float) -> float:
        kept = values**2 / (values**2 + penalty)
        missed = targets - mean - left @ (kept[:, None] * projected)
        return float(np.square(missed).sum() / (1 - (kept.sum() + 1) / len(features)) ** 2)

    penalty = min(PENALTIES, key=validation_error)
    weights = right.T @ ((values / (values**2 + penalty))[:, None] * projected)
    return lambda given: (given - centre) / scale @ weights + mean


def read_out_error(features: Array, targets: Array) -> float:
    """Mean distance between targets (N, K) and what :func:`ridge` reads of features (N, D), in units of the targets.

    Every sample is read by a map that was fitted to the other folds of five; which sample is in which follows its number.

    Raises:
        ValueError: fewer than twenty samples.
    """
    if len(features) < FEWEST:
        raise ValueError(f"{len(features)} samples: a read-out needs {FEWEST} at least")
    fold = np.arange(len(features)) % FOLDS
    distances = [
        np.linalg.norm(ridge(features[fold != k], targets[fold != k])(features[fold == k]) - targets[fold == k], axis=1)
        for k in range(FOLDS)
    ]
    return float(np.concatenate(distances).mean())
