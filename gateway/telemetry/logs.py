"""
Log lines that nobody ever waits for.

Lines are made where they are logged, put into a bounded queue, and written by one daemon thread.
When whoever reads our stderr stalls, the queue fills, further lines are counted instead of kept,
and the count is the first thing written once reading goes on.

Values go into `extra`: `log.info("worker ready", extra={"slot": 1})` gives `… worker ready slot=1`.
A record with `extra={"storm": KIND}` is written at most once a second per KIND; one with
`extra={"private": True}` says where its error came from and of which type, and not its words, for
those may hold a prompt. Tell the log nothing secret: what looks like a key is blotted out before
it is written, but that is the net, not the rope.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import re2  # type: ignore[import-untyped]  # RE2: linear in the text, whatever the pattern

from gateway.clock import Clock, SystemClock

MAX_LINE_CHARS = 8_192
"""Longer lines are cut: a log is no place for bodies."""

MAX_QUEUED_LINES = 4_096
"""At most 32 MiB wait for a stalled reader."""

PIPE_ATOM_BYTES = 4_096
"""Linux writes this much to a pipe in one piece, so lines of several processes do not mix."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "storm", "private"}
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


_BLOT = "[hidden]"
_SECRETS = re2.compile(
    # A header or a field that is known to hold one, however it is quoted; its name and scheme may stay.
    r"""(?i)(?P<kept>\b(?:authorization|(?:x-|x-goog-|subscription-)?(?:api[-_]?)?key|cookie"""
    r"""|\w*(?:secret|passw(?:or)?d|token))\b["'\\]*[ \t]?[:=,][ \t]?(?:b?["'\\]+)?(?:(?:bearer|basic)[ \t]+)?)"""
    r"""[^\s"'\\,;&)}\]]{6,}"""
    # The user's part of an address.
    r"""|(?P<scheme>://)[^\s/@:]+:[^\s/@]+@"""
    # What gives itself away.
    r"""|\b(?:bearer|basic)[ \t]+[\w.~+/=-]{8,}"""
    r"""|\b(?:sk|pk|rk|gsk|xai|pplx|hf|ghp|gho|glpat|xox[abps]|nvapi|whsec)[-_][\w-]{12,}"""
    r"""|\bAIza[\w-]{20,}|\bA(?:KI|SI)A[A-Z0-9]{12,}|\bya29\.[\w.-]{10,}|\bABSK[\w+/=]{20,}"""
    r"""|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"""
)


def hide_secrets(text: str) -> str:
    """
    Give `text` with what looks like a key, a token or a password blotted out.

    >>> hide_secrets("no answer to Authorization: Bearer sk-proj-0123456789abcdef")
    'no answer to Authorization: Bearer [hidden]'
    >>> hide_secrets("refused by https://ana:hunter2@host/v1?key=AIzaSyA-0123456789&n=1")
    'refused by https://[hidden]@host/v1?key=[hidden]&n=1'
    """
    return str(_SECRETS.sub(_blotted, text))


def _blotted(match: Any) -> str:
    if match["scheme"]:
        return f"://{_BLOT}@"
    return f"{match['kept'] or ''}{_BLOT}"


def escape_controls(text: str) -> str:
    r"""
    Give `text` on one line, so that a client's name cannot forge a second one.

    >>> print(escape_controls("ana\n2026-01-01 error all is lost"))
    ana\n2026-01-01 error all is lost
    """
    return text.translate(_ESCAPES)


class Storm:
    """
    Lets one line a second through per kind, and counts the others.

    >>> from gateway.clock import SettableClock
    >>> clock = SettableClock()
    >>> storm = Storm(clock)
    >>> storm.admit("accept"), storm.admit("accept"), storm.admit("accept")
    (0, None, None)
    >>> clock.advance(1)
    >>> storm.admit("accept")
    2
    """

    MAX_KINDS = 1_024

    def __init__(self, clock: Clock, *, interval_s: float = 1.0) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._seen: dict[str, tuple[float, int]] = {}

    def overdue(self) -> dict[str, int]:
        """
        Give how many of each kind were suppressed and will not be told of by a next one soon; they count as told.

        For whoever asks now and then, so that a storm's end is not forgotten.
        """
        now_s = self._clock.now_s()
        left = {
            kind: suppressed
            for kind, (since_s, suppressed) in self._seen.items()
            if suppressed and now_s - since_s >= self._interval_s
        }
        for kind in left:
            self._seen[kind] = (now_s, 0)
        return left

    def admit(self, kind: str) -> int | None:
        """Give how many of this kind were suppressed before this one, or None to suppress it too."""
        now_s = self._clock.now_s()
        since_s, suppressed = self._seen.get(kind, (now_s - self._interval_s, 0))
        if now_s - since_s < self._interval_s:
            self._seen[kind] = (since_s, suppressed + 1)
            return None
        if len(self._seen) >= self.MAX_KINDS:
            self._seen.clear()
        self._seen[kind] = (now_s, 0)
        return suppressed


def _extras_of(record: logging.LogRecord) -> dict[str, Any]:
    extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        if getattr(record, "private", False):
            extras["error"] = " from ".join(type(each).__name__ for each in _chain_of(error))
            extras["traceback"] = "".join(traceback.format_tb(error.__traceback__))
        else:
            extras["error"] = f"{type(error).__name__}: {error}"
            extras["traceback"] = logging.Formatter().formatException(record.exc_info)
    return extras


def _chain_of(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__


def _moment_of(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _quoted(value: object) -> str:
    text = escape_controls(str(value))
    if text and not any(char in text for char in ' ="'):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class PlainFormatter(logging.Formatter):
    """`2026-11-22T12:00:00.000Z info gateway.x message key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the record as one line."""
        message = escape_controls(record.getMessage())
        pairs = "".join(f" {key}={_quoted(value)}" for key, value in _extras_of(record).items())
        return f"{_moment_of(record)} {record.levelname.lower()} {record.name} {message}{pairs}"[:MAX_LINE_CHARS]


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the record as one line of JSON; values that are too long are cut."""
        line: dict[str, Any] = {
            "time": _moment_of(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MAX_LINE_CHARS],
        }
        line |= {key: _cut(value) for key, value in _extras_of(record).items()}
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _cut(value: object) -> object:
    return value[:MAX_LINE_CHARS] if isinstance(value, str) else value


class QueueWriter(logging.Handler):
    """
    Puts lines into a bounded queue that one daemon thread writes out.

    Attributes:
        dropped: Lines lost to a full queue since the last one that got out.
    """

    def __init__(self, fd: int, *, clock: Clock | None = None, max_lines: int = MAX_QUEUED_LINES) -> None:
        super().__init__()
        self.dropped = 0
        self._fd = fd
        self._storm = Storm(clock or SystemClock())
        self._lines: queue.Queue[str | None] = queue.Queue(maxsize=max_lines)
        self._thread = threading.Thread(target=self._write_lines, name="log-writer", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record's line, or count it."""
        kind = getattr(record, "storm", None)
        if kind is not None:
            suppressed = self._storm.admit(str(kind))
            if suppressed is None:
                return
            if suppressed:
                record.suppressed = suppressed
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self.dropped += 1
        except Exception:
            # A line that cannot be made must not fail whoever wanted to log it.
            self.dropped += 1

    def close(self, timeout_s: float = 0.5) -> None:
        """Write what is queued, for at most `timeout_s`, or twice that where the queue is full."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=timeout_s)
            self._thread.join(timeout_s)
        super().close()

    def _write_lines(self) -> None:
        is_open = True
        while is_open:
            batch = [self._lines.get()]
            n_bytes = 0
            while batch[-1] is not None and n_bytes < PIPE_ATOM_BYTES // 2:
                n_bytes += len(batch[-1])
                try:
                    batch.append(self._lines.get_nowait())
                except queue.Empty:
                    break
            is_open = batch[-1] is not None
            if self.dropped:
                dropped, self.dropped = self.dropped, 0
                self._write(
                    f"{_moment_now()} warning {__name__} log lines dropped, the reader was slow dropped={dropped}"
                )
            # Here and not where lines are made: nobody who serves waits for it.
            lines = [hide_secrets(line) for line in batch if line is not None]
            if lines:
                self._write("\n".join(lines))

    def _write(self, text: str) -> None:
        left = memoryview(text.encode(errors="backslashreplace") + b"\n")
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                threading.Event().wait(0.05)  # someone made our stderr non-blocking
            except OSError:
                return  # closed: there is nobody left to tell


def _moment_now() -> str:
    return _moment_of(logging.makeLogRecord({}))


def open_logs(environ: Mapping[str, str], *, fd: int | None = None) -> QueueWriter:
    """
    Send every log record of this process through a QueueWriter; the caller closes it.

    SLUICE_LOG_FORMAT=json gives JSON lines, SLUICE_LOG_LEVEL the lowest level kept (INFO).
    """
    writer = QueueWriter(sys.stderr.fileno() if fd is None else fd)
    writer.setFormatter(JsonFormatter() if environ.get("SLUICE_LOG_FORMAT") == "json" else PlainFormatter())
    level = environ.get("SLUICE_LOG_LEVEL", "INFO").upper()
    logging.root.handlers[:] = [writer]
    logging.root.setLevel(level if level in logging.getLevelNamesMapping() else "INFO")
    logging.raiseExceptions = False
    for chatty in ("asyncio", "watchfiles"):  # the latter notes every write to a log file beside the config
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return writer
