"""Moments: sums that add, from which means, variances and covariances follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True)
class Moments:
    """
    Sufficient statistics for a mean and its standard error.

    Attributes:
        n: How many values.
        mean: Their mean, in the unit of the values (ms stay ms).
        m2: Sum of squared distances from the mean, in that unit squared.
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0

    def __add__(self, other: Moments) -> Moments:
        """
        Give the moments of both streams together.

        Source: Chan, Golub & LeVeque (1979), STAN-CS-79-773. The shorter sum of squares loses its digits when the
        mean is large beside the spread.

        >>> Moments.of([1.0, 2.0]) + Moments.of([3.0])
        Moments(n=3, mean=2.0, m2=2.0)
        """
        n = self.n + other.n
        if not n:
            return Moments()
        apart = other.mean - self.mean
        mean = self.mean + apart * other.n / n
        return Moments(n, mean, self.m2 + other.m2 + apart * apart * self.n * other.n / n)

    @classmethod
    def of(cls, values: Iterable[float]) -> Moments:
        """
        Give the moments of `values`.

        Source: Welford (1962), Technometrics 4:419-420.

        >>> Moments.of([2.0, 4.0])
        Moments(n=2, mean=3.0, m2=2.0)
        """
        n, mean, m2 = 0, 0.0, 0.0
        for value in values:
            n += 1
            step = value - mean
            mean += step / n
            m2 += step * (value - mean)
        return cls(n, mean, m2)

    @classmethod
    def of_sums(cls, n: int, total: float, squares: float) -> Moments:
        """
        Give the moments from n, Σx and Σx².

        Args:
            n: How many, at least 0.
            total: Their sum.
            squares: The sum of their squares; when rounding has taken it below total²/n, the spread is 0.

        >>> Moments.of_sums(2, 6.0, 20.0)
        Moments(n=2, mean=3.0, m2=2.0)
        """
        if n <= 0:
            return cls()
        return cls(n, total / n, max(0.0, squares - total * total / n))

    @property
    def variance(self) -> float | None:
        """Give the sample variance (n − 1); None with fewer than two values."""
        return self.m2 / (self.n - 1) if self.n > 1 else None

    @property
    def se(self) -> float | None:
        """Give the standard error of the mean; None with fewer than two values."""
        return sqrt(self.m2 / (self.n - 1) / self.n) if self.n > 1 else None


@dataclass(frozen=True, slots=True)
class PairMoments:
    """
    Sufficient statistics of pairs (x, y): for ratios of means and for adjustments.

    Attributes:
        x: Moments of the first.
        y: Moments of the second; of as many pairs.
        cross: Sum of products of distances from the means, in the unit of x times that of y.
    """

    x: Moments = Moments()
    y: Moments = Moments()
    cross: float = 0.0

    def __add__(self, other: PairMoments) -> PairMoments:
        """
        Give the moments of both streams together.

        >>> (PairMoments.of([(1.0, 1.0)]) + PairMoments.of([(3.0, 2.0)])).cross
        1.0
        """
        n = self.x.n + other.x.n
        apart = (other.x.mean - self.x.mean) * (other.y.mean - self.y.mean)
        cross = self.cross + other.cross + (apart * self.x.n * other.x.n / n if n else 0.0)
        return PairMoments(self.x + other.x, self.y + other.y, cross)

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, float]]) -> PairMoments:
        """
        Give the moments of `pairs`.

        >>> PairMoments.of([(1.0, 2.0), (3.0, 6.0)]).cross
        4.0
        """
        known = list(pairs)
        x = Moments.of(first for first, _ in known)
        y = Moments.of(second for _, second in known)
        return cls(x, y, sum((first - x.mean) * (second - y.mean) for first, second in known))

    @property
    def covariance(self) -> float | None:
        """Give the sample covariance (n − 1); None with fewer than two pairs."""
        return self.cross / (self.x.n - 1) if self.x.n > 1 else None
