"""Pieces that HTML reports are made of: words are escaped here, what is handed in as HTML was by whoever made it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.report.hostile import html_text


def words(text: str) -> str:
    """
    Give a sentence as HTML; a number and its percent sign stay on one line.

    >>> words("<b> 5 %")
    '&lt;b&gt; 5&nbsp;%'
    """
    return html_text(text).replace(" %", "&nbsp;%")


def name(text: str) -> str:
    """
    Give what somebody called something as HTML that turns nothing around it, whichever way its letters run.

    >>> name("plan=<x>")
    '<bdi>plan=&lt;x&gt;</bdi>'
    """
    return f"<bdi>{html_text(text)}</bdi>"


def unbroken(text: str) -> str:
    """Give something short, as a number, that stays on one line."""
    return f"<span class=unbroken>{html_text(text)}</span>"


def tag(tone: str, word: str) -> str:
    """Give a word that stands out: `good`, `bad` or without a tone."""
    return f'<span class="tag {tone}">{html_text(word)}</span>'


def section(title: str, *parts: str) -> str:
    """Give a section of whatever parts there are; nothing where there are none."""
    found = "\n".join(part for part in parts if part)
    return f"<section><h2>{words(title)}</h2>{found}</section>" if found else ""


def paragraphs(texts: Iterable[str], kind: str = "note") -> str:
    """Give sentences, each as a paragraph of this class; empty ones are left out."""
    return "".join(f"<p class={kind}>{words(text)}</p>" for text in texts if text)


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Give names and values as a list of terms; words, not HTML."""
    rows = "".join(f"<div><dt>{words(term)}</dt><dd>{words(value)}</dd></div>" for term, value in pairs)
    return f"<dl class=facts>{rows}</dl>" if rows else ""


def alarms(texts: Iterable[str]) -> str:
    """Give warnings that nobody overlooks; nothing where there are none."""
    rows = "".join(f"<li>{words(text)}</li>" for text in texts)
    return f"<section class=latched><ul>{rows}</ul></section>" if rows else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """
    Give a table, which on a phone becomes a card a row; nothing without rows.

    Args:
        columns: Titles, words.
        rows: Cells, HTML.
    """
    titles = [html_text(each) for each in columns]
    body = "".join(f"<tr>{_cells(titles, row)}</tr>" for row in rows)
    if not body:
        return ""
    head = "".join(f"<th scope=col>{title}</th>" for title in titles)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def folded(title: str, body: str, kind: str = "more") -> str:
    """Give something that is opened by whoever wants it; nothing where there is nothing."""
    return f"<details class={kind}><summary>{words(title)}</summary>{body}</details>" if body else ""


def figure(body: str, caption: str) -> str:
    """Give a chart with what it shows below it; nothing without a chart."""
    said = f"<figcaption>{words(caption)}</figcaption>" if caption else ""
    return f"<figure><div class=chart>{body}</div>{said}</figure>" if body else ""


def _cells(titles: Sequence[str], row: Sequence[str]) -> str:
    pairs = zip(titles, row, strict=True)
    return "".join(f'<td data-label="{title}"><div>{cell}</div></td>' for title, cell in pairs)
