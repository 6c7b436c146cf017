"""What stops a measurement: something that does not run, or an answer that is wrong. Never that it is slow."""

from __future__ import annotations


class BenchError(Exception):
    """The figures would mean nothing; the message says why."""
