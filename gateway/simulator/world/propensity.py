"""
How people differ: a stock of chances whose mean is the stated one, spread as a beta distribution.

A person holds a rank, not a chance. The chance of that rank depends on how they are treated, so who
fails most often with one arm fails most often with the other: that is what makes stickiness matter.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

RANKS = 1_024
"""Different chances there are: a thousand people fail alike, which no test by unit can see."""

_DRAWS = 64
_SEED = 20_260_101


@lru_cache(maxsize=512)
def chances_of(mean: float, icc: float) -> npt.NDArray[np.float64]:
    """
    Give the chance of every rank, rising.

    Args:
        mean: Mean of all, in [0, 1]; kept exactly.
        icc: How alike one person's requests are, in [0, 1): the intraclass correlation of the beta distribution.

    Shapes:
        (RANKS,), values in [0, 1].
    """
    if icc <= 0.0 or mean <= 0.0 or mean >= 1.0:
        return np.full(RANKS, mean)
    width = (1.0 - icc) / icc
    drawn = np.random.default_rng(_SEED).beta(mean * width, (1.0 - mean) * width, RANKS * _DRAWS)
    drawn.sort()
    chances: npt.NDArray[np.float64] = drawn.reshape(RANKS, _DRAWS).mean(axis=1)
    for _ in range(20):
        # Scaling moves some beyond 1, and what is cut off there has to come from the others.
        chances = np.minimum(chances * (mean / chances.mean()), 1.0)
    return chances
