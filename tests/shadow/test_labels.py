"""People's labels, as spreadsheets write them."""

from __future__ import annotations

import csv
import io

import pytest

from gateway.record.pair import Vote
from gateway.shadow.labels import Label, LabelError, escaped, parse_labels, render_template

A = Label("sq1_a", "next", Vote.SHADOW)


@pytest.mark.parametrize(
    "text",
    [
        "request_id,variant,preferred\nsq1_a,next,shadow\n",
        "\ufeffRequest_ID;Variant;Preferred\r\nsq1_a;next;Shadow\r\n;;\r\n",
        'preferred\tnote\tvariant\trequest_id\n"shadow"\t"two\nlines"\tnext\tsq1_a',
        "request_id,variant,preferred\n\nsq1_a,next,shadow\nsq1_a,next,shadow\n",
        "request_id,variant,preferred\nsq1_a,'next,shadow\nsq1_b,next,\n",
    ],
)
def test_spreadsheets_are_forgiven(text: str) -> None:
    """Byte order marks, semicolons, tabs, quotes, empty lines, repeated and unlabelled rows are read."""
    assert parse_labels(text.encode()) == [A]


def test_variant_may_be_left_out() -> None:
    """A route with one shadow needs no column for it."""
    assert parse_labels(b"request_id,preferred\nx,tie\ny,primary\n") == [
        Label("x", "", Vote.TIE),
        Label("y", "", Vote.PRIMARY),
    ]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "line 1: no column request_id and no column preferred; write request_id, variant, preferred"),
        (b"request_id,winner\nx,shadow", "line 1: no column preferred"),
        (b"request_id,preferred,preferred\n", "line 1: two columns preferred"),
        (b"request_id,preferred\nx,tie\ny,better\n", "line 3: 'better' is not primary, shadow or tie"),
        (b"request_id,preferred\n,tie\n", "line 2: no request_id"),
        (b"request_id,preferred\nx,tie\nx,shadow\n", "line 3: 'x' has another label before"),
        (b"request_id,preferred\nx,\xff\n", "line 2: not UTF-8"),
        (b'request_id,preferred\nx,"tie\n', "not CSV"),
        (b"request_id,preferred\n" + b"x" * 200_000 + b",tie\n", "not CSV"),
        (b"x" * (17 * 1024 * 1024), "at most 16777216 are read"),
    ],
)
def test_wrong_lines_are_named(raw: bytes, problem: str) -> None:
    """What cannot be read is said with its line."""
    with pytest.raises(LabelError) as caught:
        parse_labels(raw)
    assert problem in str(caught.value)


def test_problems_are_bounded() -> None:
    """A file of the wrong kind is not repeated as a list of errors."""
    with pytest.raises(LabelError) as caught:
        parse_labels(b"request_id,preferred\n" + b"x,?\n" * 500)
    assert len(caught.value.problems) == 20


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_formulas_are_words(formula: str) -> None:
    """What a model answered is never run by the spreadsheet in which people label it, and comes back unharmed."""
    (_, row) = csv.reader(io.StringIO("".join(render_template(iter([("x", formula, "p", formula, formula)])))))
    assert [cell[0] for cell in row[4:]] == ["'", "'"]
    assert escaped(formula).removeprefix("'") == formula
