"""Chance that can be repeated: the same labels, the same number."""

from __future__ import annotations

import xxhash


def share_of(*labels: object) -> float:
    """Give a number in [0, 1) that depends on `labels` and nothing else."""
    return xxhash.xxh3_64_intdigest("\x1f".join(map(str, labels)).encode()) / 2**64
