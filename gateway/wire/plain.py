"""
Events that say nothing but their text: known by being spelt like one that was looked at.

Within a stream such events differ in their text and, with some providers, in a padding that hides
its length. Everything else is the same to the byte, so comparing is enough, and costs a fraction of
a search.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TEXT = re.compile(rb'(?:[^"\\]|\\.)*', re.DOTALL)
_PADDING = b'"obfuscation":"'
_WHOLE_ENDS = (b"\n\n", b"\r\n\r\n")


class PlainEvent(NamedTuple):
    """
    The spelling of one plain event.

    Attributes:
        head: Up to the quote that opens the text.
        turn: From the quote that closes the text to the end, or to the quote that opens the padding.
        tail: From the quote that closes the padding; empty without a padding.
    """

    head: bytes
    turn: bytes
    tail: bytes


def text_size(event: bytes, start: int) -> int:
    """Give how many bytes the string has that was opened just before `start`, escapes as written."""
    found = _TEXT.match(event, start)
    return 0 if found is None else found.end() - start


def learn_plain(event: bytes, start: int) -> PlainEvent | None:
    """
    Give the spelling of an event whose text begins at `start`, just behind a quote.

    None where it cannot be told apart: cut off, or followed by more.
    """
    rest = event[start + text_size(event, start) :]
    if not event.endswith(_WHOLE_ENDS) or rest[:1] != b'"':
        return None
    place = rest.find(_PADDING)
    if place < 0:
        return PlainEvent(event[:start], rest, b"")
    place += len(_PADDING)
    return PlainEvent(event[:start], rest[:place], rest[place + text_size(rest, place) :])


def skip_plain(plain: PlainEvent, whole: bytes) -> tuple[int, int]:
    """Give the place behind the plain events that `whole` begins with, and how many they are."""
    head, turn, tail = plain
    find, startswith = whole.find, whole.startswith
    n_head, n_turn = len(head), len(turn)
    place = n_events = 0
    while startswith(head, place):
        start = place + n_head
        end = find(b'"', start)
        if not startswith(turn, end):
            end = find(turn, end)
            # Outside of strings no quote can follow a backslash, so all of these are inside one.
            if end < 0 or whole.count(b'"', start, end) != whole.count(b'\\"', start, end):
                break
        end += n_turn
        if tail:
            end = find(b'"', end)
            if not startswith(tail, end):
                break
            end += len(tail)
        place = end
        n_events += 1
    return place, n_events
