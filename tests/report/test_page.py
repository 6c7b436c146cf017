"""The frame of HTML reports."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from gateway.report.page import page


def test_page_asks_nobody() -> None:
    """No script, no address of anybody, and a policy that forbids both."""
    text = page("A report", "<p>hello</p>")
    assert "default-src 'none'" in text and "<p>hello</p>" in text
    assert re.findall(r"<script|https?:|url\(|@import|<link|<img", text) == []


def test_title_is_escaped() -> None:
    """A title is text."""
    assert "<title>a &lt;b&gt;</title>" in page("a <b>", "")


def test_page_is_html() -> None:
    """It opens with its type and says its language, charset and width."""
    text = page("t", "")
    HTMLParser().feed(text)
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert 'charset="utf-8"' in text and "width=device-width" in text and "prefers-color-scheme: dark" in text
