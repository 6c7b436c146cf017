"""`sluice init`: the smallest useful configuration, after three questions at most."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

from gateway.cli.terminal import say, warn
from gateway.settings.address import is_loopback
from gateway.settings.compile_provider import parse_base_url

NAME = "init"
HELP = "write the smallest useful configuration"

DEFAULT_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-4.1-mini"

_TEMPLATE = """\
# Apps set OPENAI_BASE_URL to the gateway and send model="assistant".
# `sluice check` says what is wrong with this file; saving it is enough to apply it.
version: 1
default_provider: main               # gets every model that is not a route below

providers:
  main: {{base_url: {url}{key}}}

routes:
  assistant:
    variants:
      current: {{model: {model}}}
      new: {{like: current, model: {other}}}    # or change system_prompt, params, …
    release: {{split: {{arms: {{current: 90%, new: 10%}}, baseline: current}}}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where to write, and what to take for granted."""
    parser.add_argument("path", nargs="?", default="sluice.yaml", help="where to write (sluice.yaml)")
    parser.add_argument("--yes", action="store_true", help="ask nothing, take the defaults")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def run(args: argparse.Namespace) -> int:
    """Ask, write, say what comes next."""
    path = Path(args.path)
    if path.exists() and not args.force:
        warn(f"sluice: {path} is there already; --force writes over it")
        return 2
    ask = _take_default if args.yes or not sys.stdin.isatty() else _ask
    try:
        text, needs_key = render_config(ask)
    except ValueError as error:
        warn(f"sluice: {'; '.join(str(part) for part in error.args)}")
        return 2
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        warn(f"sluice: cannot write {path}: {error.strerror}")
        return 2
    say(f"{path} is written. Next:")
    say(f"  {'OPENAI_API_KEY=… ' if needs_key else ''}sluice serve --config {path}")
    return 0


def render_config(ask: Callable[[str, str], str]) -> tuple[str, bool]:
    """
    Give the file's text, and whether its provider wants a key.

    Args:
        ask: Gives the answer to (question, default).

    Raises:
        ValueError: (problem, remedy): the URL is not one.
    """
    url = ask("Base URL of the provider", DEFAULT_URL)
    address = parse_base_url(url)
    model = ask("Model that answers now", DEFAULT_MODEL)
    other = ask("Model to try on 10 % of users", model)
    needs_key = not is_loopback(address.host)
    key = ", api_key_env: OPENAI_API_KEY" if needs_key else ""
    return _TEMPLATE.format(url=_quoted(url), key=key, model=_quoted(model), other=_quoted(other)), needs_key


def _quoted(text: str) -> str:
    """A JSON string is a YAML string."""
    return orjson.dumps(text).decode()


def _ask(question: str, default: str) -> str:
    try:
        return input(f"{question} [{default}]: ").strip() or default
    except EOFError:
        return default


def _take_default(_question: str, default: str) -> str:
    return default
