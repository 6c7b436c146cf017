"""
A streamed answer under guard: what the client may have of it, and what the guards say in the end.

Theory of operation
===================
The stage stands behind the stream's tap: bytes go in as the tap gives them, and go on to the client
unless a guard objects. With guards that only flag nothing is ever held up: they read along, and judge
when the answer has ended.

With a guard that blocks, only whole events are passed on, and none before the text in it was searched.
Once a guard objects nothing more is passed, whatever comes: the caller ends the stream with an error
frame, for which the client always stands between two events. What was passed before stays passed; who
cannot have that asks for a buffer, and then the first byte goes out when the last was checked. JSON
Schemas and least lengths can be judged at the end only: the event that ends the answer is held for it.

What the client gets depends on where the input was split only in this: a piece that holds the objection
is kept back whole. What the guards say does not depend on it.
"""

from __future__ import annotations

from gateway.domain.variant import Api
from gateway.wire.answer_text import AnswerText, StreamText
from gateway.wire.guard import GuardFinding, GuardReport, GuardSet
from gateway.wire.sse import cut_of

MAX_HELD_BYTES = 32 * 1024 * 1024
"""What one stream may hold back: the longest answers, at 250 bytes of event per token. More is blocked."""

_WHOLE_ENDS = (b"\n\n", b"\r\n\r\n")


class GuardedStream:
    """
    One per relayed stream whose variant has guards.

    Attributes:
        blocked_by: The guard that objects and blocks; None as long as none does. Once it is there, end
            the stream with an error frame.
    """

    __slots__ = (
        "_doubtful",
        "_found",
        "_guards",
        "_held",
        "_is_judged",
        "_n_held",
        "_partial",
        "_text",
        "blocked_by",
    )

    def __init__(self, api: Api, guards: GuardSet) -> None:
        self._guards = guards
        self._text = StreamText(api)
        self._partial = bytearray()
        self._held: list[bytes] = []
        self._n_held = 0
        self._doubtful: set[int] = set()
        self._is_judged = False
        self._found: set[GuardFinding] = set()
        self.blocked_by: GuardFinding | None = None

    @property
    def is_whole(self) -> bool:
        """Say whether only whole events are passed on, so that the client stands between two of them."""
        return self._guards.blocks

    @property
    def report(self) -> GuardReport:
        """Give what the guards say of what they have read; final after `end`."""
        return self._guards.report(self._found, has_text=self._is_judged)

    def feed(self, data: bytes) -> bytes:
        """Take what the tap gave; give what may go to the client now, which may be nothing."""
        if self.blocked_by is not None or not data:
            return b""
        whole = self._whole_of(data)
        if whole:
            self._read(whole)
        if not self._guards.blocks:
            return data
        return self._passed(whole)

    def end(self, rest: bytes = b"", *, is_complete: bool = True) -> bytes:
        """
        Judge what there is, and give what the client may still have.

        Args:
            rest: What the tap gave at its end; it may lack the blank line.
            is_complete: Whether the answer said that it was finished. If not, a stream that is held back
                stays back: nobody can tell what it would have become.
        """
        passed = self.feed(rest)
        tail = bytes(self._partial)
        self._partial.clear()
        if tail and self.blocked_by is None:
            self._read(tail)
        self._judge_all(is_whole=is_complete)
        if self.blocked_by is not None or not self._guards.blocks:
            return b"" if self._guards.blocks else passed
        if is_complete:
            return passed + self._released() + tail
        return passed if self._guards.is_buffered else passed + self._released()

    def _whole_of(self, data: bytes) -> bytes:
        """Give the events that are whole by now."""
        held = self._partial
        if not held and data.endswith(_WHOLE_ENDS):
            return data
        seen = len(held)
        held += data
        whole = b""
        if b"\n" in data or b"\r" in held[-len(data) - 3 :]:
            cut = cut_of(held, max(0, seen - 3))
            whole = bytes(held[:cut])
            del held[:cut]
        if len(held) > MAX_HELD_BYTES:
            # Nobody sends such an event; without its end there is nothing to read.
            held.clear()
            self._block_unread()
        return whole

    def _read(self, whole: bytes) -> None:
        """Read whole events and ask the guards that can answer now."""
        text = self._text
        text.feed(whole)
        if text.is_done:
            self._judge_all(is_whole=not text.failure)
        elif text.grown:
            self._judge_grown()
        text.grown.clear()

    def _judge_grown(self) -> None:
        for index in self._text.grown:
            answer = self._text.answers[index]
            if answer.is_finished:
                self._judge(index, is_whole=True)
            elif self._guards.blocks:
                self._judge_passing(index, answer)
            if answer.is_cut:
                self._block_unread()
            answer.forget_searched()

    def _judge_passing(self, index: int, answer: AnswerText) -> None:
        found, may_object = self._guards.check_passing(answer.recent, answer.start, answer.n_chars)
        if found is not None:
            self._note((found,))
        if may_object:
            self._doubtful.add(index)
        else:
            self._doubtful.discard(index)

    def _judge_all(self, *, is_whole: bool) -> None:
        for index, answer in self._text.answers.items():
            if not answer.is_checked:
                self._judge(index, is_whole=is_whole)

    def _judge(self, index: int, *, is_whole: bool) -> None:
        answer = self._text.answers[index]
        text = answer.text
        answer.is_checked = True
        self._doubtful.discard(index)
        if text is None:
            return
        self._is_judged = self._is_judged or is_whole
        self._note(self._guards.check(text, is_whole=is_whole))

    def _note(self, found: tuple[GuardFinding, ...]) -> None:
        self._found.update(found)
        if found and self.blocked_by is None:
            self.blocked_by = self.report.blocked_by
        if self.blocked_by is not None:
            self._held.clear()

    def _block_unread(self) -> None:
        """What is too long to be checked is not let through where a guard blocks."""
        if self._guards.blocks and self.blocked_by is None:
            self._note((self._guards.first_block(),))

    def _passed(self, whole: bytes) -> bytes:
        """Give what may go on now, once `whole` was read."""
        if self.blocked_by is not None:
            return b""
        text = self._text
        if self._guards.is_buffered and text.failure:
            # What the provider says about itself; the words before it were never checked to their end.
            self._held.clear()
            failure, text.failure = text.failure, b""
            return failure
        if self._doubtful or (self._guards.is_buffered and not text.is_done):
            self._hold(whole)
            return b""
        return self._released() + whole

    def _hold(self, whole: bytes) -> None:
        if whole:
            self._held.append(whole)
            self._n_held += len(whole)
        if self._n_held > MAX_HELD_BYTES:
            self._block_unread()

    def _released(self) -> bytes:
        held = b"".join(self._held)
        self._held.clear()
        self._n_held = 0
        return held
