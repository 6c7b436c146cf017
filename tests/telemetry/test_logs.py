"""Log lines: one line each, nothing forged, and nobody ever waits."""

from __future__ import annotations

import logging
import os
import re
import select
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import pytest

from gateway.clock import SettableClock
from gateway.telemetry.logs import JsonFormatter, PlainFormatter, QueueWriter, Storm, escape_controls, hide_secrets


@dataclass
class Pipe:
    """A log, and the end of the pipe it is read from."""

    reader: int
    writer: QueueWriter
    log: logging.Logger
    clock: SettableClock

    def read_all(self) -> str:
        """Give everything written, after closing."""
        self.writer.close(timeout_s=5)
        os.set_blocking(self.reader, False)
        return os.read(self.reader, 1_000_000).decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Give a log of its own that writes into a pipe."""
    reader, write_end = os.pipe()
    clock = SettableClock()
    writer = QueueWriter(write_end, clock=clock, max_lines=50)
    writer.setFormatter(PlainFormatter())
    log = logging.Logger("test")  # noqa: LOG001 - not in the registry, so that tests do not meet
    log.addHandler(writer)
    yield Pipe(reader, writer, log, clock)
    os.close(reader)
    writer.close(timeout_s=5)
    os.close(write_end)


def test_one_line_with_values(pipe: Pipe) -> None:
    """A record is one line: moment, level, name, message, values."""
    pipe.log.info("worker ready", extra={"slot": 1, "what": "a b"})
    moment, _, rest = pipe.read_all().partition(" ")
    assert moment.endswith("Z") and rest == 'info test worker ready slot=1 what="a b"\n'


def test_nothing_can_be_forged(pipe: Pipe) -> None:
    """Line ends and escapes in names and values stay on their line."""
    pipe.log.info("user %s", "ana\n2026 error x", extra={"model": "\x1b[31m\u2028"})
    text = pipe.read_all()
    assert text.count("\n") == 1 and "\x1b" not in text and "\u2028" not in text


def test_stalled_reader_stops_nobody(pipe: Pipe) -> None:
    """With the pipe full, logging does not wait; every line is written later or counted as lost."""
    n_logged = 5_000
    for _ in range(n_logged):
        pipe.log.info("x" * 400)  # would wait for ever: nobody reads
    written = b""
    while written.count(b" info test ") + _lost(written) < n_logged:
        if select.select([pipe.reader], [], [], 0.01)[0]:
            written += os.read(pipe.reader, 100_000)
        else:
            pipe.log.info("on")  # a count is said with the next line that gets out
            n_logged += 1
    assert written.count(b" info test ") + _lost(written) == n_logged and _lost(written) > 1_000


def _lost(written: bytes) -> int:
    return sum(int(count) for count in re.findall(rb"dropped=(\d+)\n", written))


def test_storm_is_one_line(pipe: Pipe) -> None:
    """A thousand of a kind are one line a second, which says how many were not written."""
    for _ in range(1_000):
        pipe.log.warning("accept failed", extra={"storm": "accept"})
    pipe.clock.advance(1)
    pipe.log.warning("accept failed", extra={"storm": "accept"})
    lines = pipe.read_all().splitlines()
    assert len(lines) == 2 and lines[1].endswith("suppressed=999")


def test_kinds_are_bounded() -> None:
    """However many kinds there are, little is remembered."""
    storm = Storm(SettableClock())
    assert all(storm.admit(str(kind)) == 0 for kind in range(5_000))
    assert storm.admit("4999") is None


def test_end_of_storm_is_counted() -> None:
    """What was suppressed and never followed is told once, to whoever asks."""
    storm = Storm(clock := SettableClock())
    assert [storm.admit("a"), storm.admit("a"), storm.admit("a"), storm.admit("b")] == [0, None, None, 0]
    assert storm.overdue() == {}
    clock.advance(1)
    assert [storm.overdue(), storm.overdue()] == [{"a": 2}, {}]


SECRETS = [
    "sk-proj-abcDEF0123456789abcDEF",
    "sk-ant-api03-abcdef0123456789",
    "gsk_0123456789abcdef0123",
    "xai-0123456789abcdef0123",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "AKIAIOSFODNN7EXAMPLE",
    "hf_abcdefghijklmnopqrstuvwxyz",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "ya29.a0AfH6SMBabcdefghij",
    "ghp_abcdefghijklmnopqrst",
]
NAMED = [
    "Authorization: Bearer {}",
    "Authorization: Basic {}",
    "{{'authorization': 'Bearer {}'}}",
    '{{"api-key": "{}"}}',
    '{{"api-key":"{}","n":1}}',
    "(b'x-api-key', b'{}')",
    "[(b'authorization', b'Bearer {}')]",
    "x-goog-api-key={}",
    "https://host/v1?key={}&n=1",
    "https://host/v1?api_key={}",
    "postgresql://sluice:{}@db/facts",
    "SLUICE_ADMIN_TOKEN={}",
    "password={}",
    "client_secret: {}",
    "Cookie: {}",
    "access_token='{}'",
    'with \\"authorization\\": \\"Bearer {}\\" quoted',
]


@pytest.mark.parametrize("secret", SECRETS)
def test_keys_give_themselves_away(secret: str) -> None:
    """What is known by its look is hidden wherever it stands, and nothing else is."""
    assert hide_secrets(f"before {secret} after") == "before [hidden] after"
    assert hide_secrets(f"('{secret}')") == "('[hidden]')"


@pytest.mark.parametrize("secret", [*SECRETS, "plain-hunter2-0123"])
@pytest.mark.parametrize("template", NAMED)
def test_named_secrets_are_hidden(template: str, secret: str) -> None:
    """What stands where secrets stand is hidden, whatever it looks like."""
    assert secret not in hide_secrets(template.format(secret))


@pytest.mark.parametrize(
    "line",
    [
        "worker ready slot=1 pid=4711",
        "config applied version=3 hash=9f86d081884c7d65 routes=12 ms=3.2",
        "request failed request_id=req_0123456789abcdef0123456789 route=support code=upstream_503",
        "no key 'tokens' here; did you mean 'max_tokens'?",
        "sluice.yaml:4:9 providers.openai.api_key: the environment has no OPENAI_API_KEY",
        "skills-matrix-of-a-longer-route name=risk-assessment-candidate",
        "input_tokens=123456789 output_tokens=1000000",
    ],
)
def test_plain_lines_stay(line: str) -> None:
    """What operators need to read is left as it is."""
    assert hide_secrets(line) == line


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()], ids=["plain", "json"])
def test_no_secret_is_written(pipe: Pipe, formatter: logging.Formatter) -> None:
    """Message, values, errors and their causes: none carries a key out of the process."""
    pipe.writer.setFormatter(formatter)
    for secret in SECRETS:
        pipe.log.warning("sent %s", {"Authorization": f"Bearer {secret}"}, extra={"headers": f"api-key: {secret}"})
        try:
            raise ValueError(secret)
        except ValueError:
            pipe.log.exception("it failed")
    text = pipe.read_all()
    assert len(text.splitlines()) == 2 * len(SECRETS) and [each for each in SECRETS if each in text] == []


def test_private_error_says_no_words(pipe: Pipe) -> None:
    """An error met while a request was read says where and of which type; its words may be a prompt."""
    prompt = "my deepest" + " wish"
    try:
        try:
            int(prompt)
        except ValueError as error:
            raise KeyError(str(error)) from error
    except KeyError:
        pipe.log.exception("it failed", extra={"private": True})
    text = pipe.read_all()
    assert "deepest wish" not in text and "invalid literal" not in text
    assert 'error="KeyError from ValueError"' in text and "test_logs.py" in text


def test_exception_is_one_line(pipe: Pipe) -> None:
    """A traceback stays on the line it belongs to."""
    try:
        raise ValueError("odd")
    except ValueError:
        pipe.log.exception("it failed")
    text = pipe.read_all()
    assert text.count("\n") == 1 and 'error="ValueError: odd"' in text and "Traceback" in text


def test_unprintable_record_is_counted(pipe: Pipe) -> None:
    """A record whose arguments do not fit costs a line, not a request."""
    pipe.log.info("%d", "not a number")
    assert pipe.writer.dropped == 1


def test_json_lines() -> None:
    """As JSON every value is a field."""
    record = logging.makeLogRecord({"name": "n", "msg": "hi", "levelname": "INFO", "slot": 2})
    line = orjson.loads(JsonFormatter().format(record))
    assert (line["message"], line["level"], line["slot"]) == ("hi", "info", 2)


def test_long_lines_are_cut() -> None:
    """A log is no place for bodies."""
    record = logging.makeLogRecord({"name": "n", "msg": "y" * 100_000})
    assert len(PlainFormatter().format(record)) == 8_192


@pytest.mark.parametrize(("raw", "shown"), [("a\tb", "a\\tb"), ("\x00", "\\x00"), ("\x9b", "\\x9b"), ("ü", "ü")])
def test_controls_are_shown(raw: str, shown: str) -> None:
    """Control characters are visible, letters untouched."""
    assert escape_controls(raw) == shown
