"""Feedback on its way: drawn with the request, heard when its time has come."""

from __future__ import annotations

import numpy as np

from gateway.simulator.world.block import MINUTE_MS, Block
from gateway.simulator.world.said import Chances, Said, joined

_HOUR_MS = 60 * MINUTE_MS


class Feed:
    """
    What was said and is not heard yet, by the hour.

    Attributes:
        heard: What is heard in the minutes of the block in force, in order of time.
    """

    def __init__(self, *, attribution_ms: Chances, n_arms: int) -> None:
        """Take how long after its request each metric's feedback counts, (metrics,), infinite for always."""
        self._attribution_ms = attribution_ms
        self._late: dict[int, list[Said]] = {}
        self.heard = joined([], n_arms=n_arms)
        self._n_arms = n_arms

    def begin(self, block: Block) -> None:
        """Take what will be said about a block's requests, and give out what is heard in its minutes."""
        said = block.said
        in_time = said.at_ms - said.exposed_ms <= self._attribution_ms[said.metric]
        said = said.taken(np.flatnonzero(in_time))
        hours = said.at_ms // _HOUR_MS
        for hour in np.unique(hours).tolist():
            self._late.setdefault(hour, []).append(said.taken(hours == hour))
        this_hour = block.first_minute // 60
        heard = joined(self._late.pop(this_hour, []), n_arms=self._n_arms)
        end_ms = block.end_minute * MINUTE_MS
        if block.end_minute % 60:
            self._late[this_hour] = [heard.taken(heard.at_ms >= end_ms)]
            heard = heard.taken(heard.at_ms < end_ms)
        self.heard = heard.taken(np.argsort(heard.at_ms, kind="stable"))
