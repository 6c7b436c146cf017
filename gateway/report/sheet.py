"""
The style of reports as a sheet of its own, for pages that have a frame and colours already.

The operators' port allows no inline style, so it serves this as `admin/pages/assets/report.css`, written from here by
`python -m gateway.report.sheet`. Every rule is nested in the class of the report: nothing else on a page changes.
"""

from __future__ import annotations

import sys

from gateway.report import experiment_html, page, shadow_html

_HEAD = "/* Written by `python -m gateway.report.sheet` from what the HTML reports look like: change it there. */\n"

# What the sheet of the pages says of the same names or elements, taken back.
_BETWEEN = """
& { max-width: 60rem; }
.row { display: block; }
label { display: inline-flex; align-items: center; gap: .4rem; flex: none; color: inherit; }
input[type=radio] { width: auto; min-height: 0; padding: 0; accent-color: var(--accent); }
svg.line, svg.bar { margin: 0; }
svg text { font-family: inherit; }
"""


def render_sheet() -> str:
    """Give the sheet."""
    kinds = {"experiment": experiment_html.STYLE, "shadow": shadow_html.STYLE}
    parts = [_nested(".report", page.STYLE + _BETWEEN)]
    parts += [_nested(f".report.of-{kind}", style) for kind, style in kinds.items()]
    return _HEAD + "\n".join(parts)


def _nested(selector: str, style: str) -> str:
    return f"{selector} {{\n{style.strip()}\n}}\n"


if __name__ == "__main__":
    sys.stdout.write(render_sheet())
