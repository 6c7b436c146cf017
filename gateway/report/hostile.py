"""What models and users wrote, made fit to be shown: it may try to look like something else, or to run."""

from __future__ import annotations

import re
from html import escape

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, escape sequences among them; tab and line feed apart
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # what is not seen, or turns the text around
    "\ud800-\udfff"  # halves of characters, which no file can hold
    "\U000e0000-\U000e007f]"
)
_LINES = re.compile("[\t\n]")


def printable(text: str) -> str:
    r"""
    Give a text on one line in which everything is seen.

    >>> print(printable("a\nb \x1b[31mred \u202e"))
    a b \x1b[31mred \u202e
    """
    return _LINES.sub(" ", visible(text))


def visible(text: str) -> str:
    r"""
    Give a text in which everything but tabs and line ends is seen.

    >>> visible("\u202egpj.exe\n")
    '\\u202egpj.exe\n'
    """
    return _UNSEEN.sub(_spelt, text)


def html_text(text: str) -> str:
    """
    Give a text as HTML, for between tags and for quoted attributes.

    >>> html_text("</style><img onerror='x'>")
    '&lt;/style&gt;&lt;img onerror=&#x27;x&#x27;&gt;'
    """
    return escape(visible(text))


def _spelt(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
