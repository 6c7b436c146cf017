"""Redaction by route, in texts, in JSON and in what is left of JSON that was cut."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.table import RoutingTable
from gateway.record.redact import KINDS, redactor_of
from gateway.record.redaction import MARGIN_CHARS, RouteRedaction, redact_deep
from gateway.wire.excerpt import CUT_MARK, MAX_EXCERPT_BYTES, cut_text
from tests.fakes.tables import route, table, variant

ALL = redactor_of(KINDS)
MAIL = "ann@example.org"


def published(*redact: str) -> RoutingTable:
    """Give a table whose only route redacts these."""
    return table([], [route([variant("current")], redact=redact)])


def test_by_route() -> None:
    """A route loses what it names, one that is gone everything; the table in use is asked each time."""
    tables: list[RoutingTable | None] = [None]
    redaction = RouteRedaction(lambda: tables[-1])
    assert redaction.redact("support", MAIL) == "[email]"
    tables.append(published())
    assert redaction.redact("support", MAIL) == MAIL
    tables.append(published("email"))
    assert redaction.redact("support", f"{MAIL} +44 20 7946 0958") == "[email] +44 20 7946 0958"
    assert redaction.redact("elsewhere", f"{MAIL} +44 20 7946 0958") == "[email] [phone]"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"write to {MAIL}", "write to [email]"),
        (r'[{"content": "ann\u0040example.org"}]', '[{"content":"[email]"}]'),
        (r'{"a": "call\n02079460958"}', r'{"a":"call\n[phone]"}'),
        (r'{"card": 4111111111111111, "n": 12, "ok": true}', '{"card":"[card]","n":12,"ok":true}'),
        (f'{{"{MAIL}": null}}', '{"[email]":null}'),
        (f'{{"a": "{MAIL}", "a": "b"}}', '{"a": "[email]", "a": "b"}'),
        (
            orjson.dumps([{"arguments": r'{"to": "ann\u0040example.org"}'}]).decode(),
            r'[{"arguments":"{\"to\":\"[email]\"}"}]',
        ),
        (f'[see "x" {MAIL}', '[see "x" [email]'),
        (r'{"a": "ann\u0040example.org", "b', '{"a": "[email]", "b'),
        ('{ "spaced" :  1 }', '{ "spaced" :  1 }'),
        ("[" * 5_000 + MAIL, "[" * 5_000 + "[email]"),
    ],
)
def test_deep(text: str, wanted: str) -> None:
    """Escapes hide nothing, not in JSON within JSON either; what has nothing to hide stays as it was written."""
    assert redact_deep(text, ALL) == wanted


@given(st.integers(0, 40))
def test_cut_in_the_middle(shift: int) -> None:
    """Wherever a text is cut, no part of an address is left at its end."""
    prompt = orjson.dumps([{"content": "x" * (MAX_EXCERPT_BYTES - 40 + shift) + f" {MAIL} +44 20 7946 0958"}]).decode()
    shown = redact_deep(cut_text(prompt), ALL)
    assert shown.removesuffix(CUT_MARK).strip("x") == '[{"content":"'
    assert len(shown) > MAX_EXCERPT_BYTES - 2 * MARGIN_CHARS


@pytest.mark.parametrize("end", ["\\", r"\u", r"\u00e", r"\ud83d", r"\ud83d\u", "\\\\"])
def test_cut_in_an_escape(end: str) -> None:
    """What is before half an escape is looked into all the same."""
    text = r'[{"content":"ann\u0040example.org ' + "x" * MAX_EXCERPT_BYTES + end + CUT_MARK
    assert redact_deep(text, ALL).startswith('[{"content":"[email] xxx')


@given(st.text(st.sampled_from('[]{}",:\\u0040@an.org 12'), max_size=80).map(lambda text: "[" + text))
def test_never_fails(text: str) -> None:
    """Whatever a text is, it comes out redacted as often as one likes."""
    assert ALL(redact_deep(text, ALL)) == redact_deep(text, ALL)
