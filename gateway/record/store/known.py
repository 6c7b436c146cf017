"""What the writer remembers of what it wrote, so that it need not ask: exposed units, sketches it may add to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.record.rollup import Exposure, ExposureKey, Rollup, RollupKey, Sketch

MAX_UNITS = 100_000
MAX_SKETCHES = 4_096

Sketches = tuple[Sketch, Sketch]
"""Of durations, and of times to the first token."""


class KnownUnits:
    """The units last seen, and when each was first exposed."""

    __slots__ = ("_first", "_max")

    def __init__(self, *, max_units: int = MAX_UNITS) -> None:
        self._first: dict[ExposureKey, int] = {}
        self._max = max_units

    def news_of(self, exposures: Mapping[ExposureKey, Exposure]) -> dict[ExposureKey, Exposure]:
        """Give those that have to be written: unknown here, or earlier than what is known."""
        first = self._first
        news = {}
        for key, exposure in exposures.items():
            known = first.pop(key, None)
            if known is None:
                news[key] = exposure
            else:
                first[key] = known  # put last again: least recently seen go first
                if exposure.first_unix_ms < known:
                    news[key] = exposure
        return news

    def note(self, exposures: Mapping[ExposureKey, Exposure]) -> None:
        """Remember what was written; call it after the commit."""
        for key, exposure in exposures.items():
            self._first[key] = exposure.first_unix_ms
        while len(self._first) > self._max:
            del self._first[next(iter(self._first))]

    def clear(self) -> None:
        """Remember nothing: rows went away."""
        self._first.clear()


class KnownSketches:
    """The sketches of the rollups written last."""

    __slots__ = ("_known", "_max")

    def __init__(self, *, max_sketches: int = MAX_SKETCHES) -> None:
        self._known: dict[RollupKey, Sketches] = {}
        self._max = max_sketches

    def unknown_of(self, keys: Iterable[RollupKey]) -> list[RollupKey]:
        """Give the keys whose sketches have to be read."""
        return [key for key in keys if key not in self._known]

    def of(self, key: RollupKey) -> Sketches | None:
        """Give a rollup's sketches as they were written; None when they are not known."""
        return self._known.get(key)

    def note(self, rollups: Mapping[RollupKey, Rollup]) -> None:
        """Remember what was written; call it after the commit."""
        for key, rollup in rollups.items():
            self._known.pop(key, None)
            self._known[key] = (rollup.durations, rollup.ttfts)
        while len(self._known) > self._max:
            del self._known[next(iter(self._known))]

    def clear(self) -> None:
        """Remember nothing."""
        self._known.clear()
