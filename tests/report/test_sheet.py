"""The style of reports on the operators' port: the same as in the files, and nowhere but in reports."""

from __future__ import annotations

from gateway.admin.pages.assets import ASSETS
from gateway.report import experiment_html, page, shadow_html
from gateway.report.sheet import render_sheet


def test_what_is_served() -> None:
    """The file that is served is what `python -m gateway.report.sheet` writes today."""
    assert ASSETS["report.css"].content.decode() == render_sheet()


def test_every_kind_is_in_it() -> None:
    """Each kind's rules are under its own class, and those of all kinds under a report's."""
    sheet = render_sheet()
    for style in (page.STYLE, experiment_html.STYLE, shadow_html.STYLE):
        assert style.strip() in sheet
    assert ".report.of-experiment {" in sheet and ".report.of-shadow {" in sheet


def test_nothing_outside_of_reports() -> None:
    """Every rule stands inside a report's: braces are closed where one begins."""
    depth, outside = 0, ""
    for letter in render_sheet().partition("*/")[2]:
        depth += (letter == "{") - (letter == "}")
        outside += letter if depth == 0 and letter != "}" else ""
    assert depth == 0 and [*filter(None, outside.split("\n"))] == [
        ".report ",
        ".report.of-experiment ",
        ".report.of-shadow ",
    ]
