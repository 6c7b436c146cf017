"""The frame of every HTML report: one file that asks nobody for anything."""

from __future__ import annotations

from gateway.report.hostile import html_text, printable


def page(title: str, body: str, style: str = "") -> str:
    """
    Give a whole HTML file.

    The policy in its head forbids scripts and requests, whatever slipped into the body.

    Args:
        title: As it is; escaped here.
        body: HTML, escaped by whoever made it.
        style: CSS of this kind of report, beside what all have; nothing that anybody else wrote.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{html_text(printable(title))}</title>
<style>{_FRAME}{STYLE}{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_FRAME = """
:root {
  color-scheme: light dark;
  --ground: #fbfbfa; --card: #ffffff; --ink: #1c1f23; --quiet: #5c6570; --line: #d9dde1;
  --accent: #2459c4; --soft: #2459c422; --good: #1a6e3c; --good-soft: #1a6e3c1f; --bad: #b3261e; --bad-soft: #b3261e1c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --card: #1c2024; --ink: #e8eaed; --quiet: #a0a9b4; --line: #363c43;
    --accent: #86aefb; --soft: #86aefb2b; --good: #7ad49b; --good-soft: #7ad49b26;
    --bad: #ff9a91; --bad-soft: #ff9a9126;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; overflow-wrap: anywhere; }"""

STYLE = """
h1 { font-size: 1.15rem; margin: 0; color: var(--quiet); font-weight: 600; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .75rem; }
.eyebrow { margin: 0 0 .25rem; font-size: .8rem; letter-spacing: .06em; text-transform: uppercase;
  color: var(--quiet); }
.headline { font-size: 1.35rem; line-height: 1.4; margin: .6rem 0 1.5rem; text-wrap: pretty; }
dl { margin: 0; }
dt { color: var(--quiet); font-size: .85rem; }
dd { margin: 0; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem 1.25rem;
  padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
figure { margin: 0; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .75rem; }
svg { display: block; width: 100%; min-width: 36rem; height: auto; }
figcaption, footer { color: var(--quiet); font-size: .85rem; margin-top: .5rem; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: .75rem; }
footer p { margin: .2rem 0; }
.grid { stroke: var(--line); stroke-width: 1; }
.axis { fill: var(--quiet); font-size: 12px; }
.end { text-anchor: end; }
.area { fill: var(--soft); }
.weight { fill: none; stroke: var(--accent); stroke-width: 2.5; stroke-linejoin: round; }
.hover { fill: transparent; }
.mark { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 3 3; }
.mark.bad { stroke: var(--bad); }
.dot { fill: var(--card); stroke: var(--quiet); stroke-width: 1.5; }
.dot.bad { fill: var(--bad); stroke: var(--bad); }
.number { fill: var(--ink); font-size: 11px; font-weight: 600; text-anchor: middle; }
.dot.bad + .number { fill: var(--card); }
table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line); }
th, td { text-align: left; vertical-align: top; padding: .55rem .75rem; border-top: 1px solid var(--line); }
th { font-size: .8rem; color: var(--quiet); font-weight: 600; }
td { font-variant-numeric: tabular-nums; }
th, td:not(:last-child) { overflow-wrap: normal; }
td:first-child { font-weight: 600; }
.tag { display: inline-block; padding: .05rem .5rem; border-radius: 1rem; font-size: .8rem; font-weight: 600;
  background: var(--soft); color: var(--accent); white-space: nowrap; }
.tag.good { background: var(--good-soft); color: var(--good); }
.tag.bad { background: var(--bad-soft); color: var(--bad); }
.latched ul { margin: 0; padding: .75rem 1rem .75rem 2rem; border-left: 4px solid var(--bad);
  background: var(--bad-soft); }
.decisions { padding-left: 1.6rem; margin: 0; }
.decisions li { padding: .6rem 0 .6rem .4rem; border-top: 1px solid var(--line); }
.decisions li:target { background: var(--soft); }
.decisions p { margin: .15rem 0; }
.when { color: var(--quiet); font-size: .9rem; }
.when b { color: var(--ink); }
.why { font-style: italic; }
details { margin-top: .3rem; font-size: .9rem; }
summary { cursor: pointer; color: var(--accent); }
details dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .4rem 1rem;
  padding: .5rem 0; }
@media (max-width: 40rem) {
  .headline { font-size: 1.15rem; }
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  table, tbody { display: block; border: 0; background: none; }
  tr { display: block; background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
    margin-bottom: .75rem; }
  td { display: grid; grid-template-columns: 6.5rem 1fr; gap: .5rem; border-top: 0; padding: .3rem .75rem; }
  td::before { content: attr(data-label); color: var(--quiet); font-size: .85rem; font-weight: 400; }
}
@media print { .scroll { overflow: visible; } svg { min-width: 0; } }
"""
"""What the parts of every report look like, whatever frame they are in."""
