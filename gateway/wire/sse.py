"""
Server-sent events as bytes: where they end, and what they carry.

Lines end in LF, CRLF or CR, mixed at will. A CR at the very end of what was received may be half a
CRLF, so nothing is ever cut behind it: that makes every answer here independent of how the bytes
were split, at the price of one event's delay on streams framed by CR alone, which nobody sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE_END = rb"(?:\r\n|\n|\r(?=[^\n]))"
# A line end and one more. It begins with a set because the engine then skips to candidates quickly;
# of a CRLF the LF alone is enough to begin with.
_BLANK_LINE = re.compile(rb"[\n\r](?:(?<=\n)\n|\r(?:\n|(?=[^\n])))")
_IDLE_LINES = re.compile(rb"(?:(?::[^\r\n]*)?" + _LINE_END + rb")+")
_LINES = re.compile(rb"\r\n|\n|\r")


def cut_of(received: bytes | bytearray, start: int = 0) -> int:
    """
    Give the place behind the last whole event, or behind comment lines that follow it; 0 for none.

    `received` begins between two events; no event ends before `start`. Comments between events are
    passed without waiting for more: they are what keeps idle connections open.
    """
    cut = 0
    for blank in _BLANK_LINE.finditer(received, start):
        cut = blank.end()
    idle = _IDLE_LINES.match(received, cut)
    return idle.end() if idle else cut


def end_of_event(received: bytes | bytearray) -> int:
    """Give the place behind the first blank line, or 0; `received` begins within an event."""
    blank = _BLANK_LINE.search(received)
    return blank.end() if blank else 0


def split_events(whole: bytes) -> list[bytes]:
    """Give the pieces of bytes that were cut by `cut_of`: events, and runs of comments between them."""
    if _is_plain(whole):
        return [whole]
    pieces = []
    place = 0
    while place < len(whole):
        idle = _IDLE_LINES.match(whole, place)
        blank = None if idle else _BLANK_LINE.search(whole, place)
        end = idle.end() if idle else blank.end() if blank else len(whole)
        pieces.append(whole[place:end])
        place = end
    return pieces


def payload_of(event: bytes) -> bytes:
    """Give the event's data: its `data` lines joined by newlines; empty when it has none."""
    if _is_plain(event):
        return event[6:-2]
    return b"\n".join(_data_lines(event))


def with_payload(event: bytes, payload: bytes) -> bytes:
    """Give the event with one `data` line in place of its first and without the others."""
    if _is_plain(event):
        return b"data: " + payload + b"\n\n"
    pieces = []
    is_written = False
    for line in _lines_with_ends(event):
        text = line.rstrip(b"\r\n")
        if text.partition(b":")[0] != b"data":
            pieces.append(line)
        elif not is_written:
            end = line[len(text) :]
            pieces.append(b"data: " + payload + end)
            is_written = True
    return b"".join(pieces)


def _is_plain(event: bytes) -> bool:
    """Tell the shape nearly every event has: one `data: ` line and a blank one."""
    return (
        event.startswith(b"data: ")
        and event.endswith(b"\n\n")
        and event.find(b"\n") == len(event) - 2
        and b"\r" not in event
    )


def _data_lines(event: bytes) -> list[bytes]:
    lines = []
    for line in _LINES.split(event):
        name, _, value = line.partition(b":")
        if name == b"data":
            lines.append(value[1:] if value[:1] == b" " else value)
    return lines


def _lines_with_ends(event: bytes) -> Iterator[bytes]:
    place = 0
    for end in _LINES.finditer(event):
        yield event[place : end.end()]
        place = end.end()
    if place < len(event):
        yield event[place:]
