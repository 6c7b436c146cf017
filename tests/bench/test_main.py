"""The flags."""

from __future__ import annotations

import pytest

from bench.__main__ import DOCUMENT, MEASURES, parse_flags
from bench.table import BEGIN, END


def test_only_known_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """A figure that does not exist is refused, and the reader learns which do."""
    assert parse_flags(["--only", "unary,stream"]).only == ["unary", "stream"]
    with pytest.raises(SystemExit):
        parse_flags(["--only", "speed"])
    told = capsys.readouterr().err
    assert all(name in told for name in MEASURES)


def test_document_has_its_place() -> None:
    """The document that `--write` renews has the markers."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text.count(BEGIN) == 1 == text.count(END)
