"""`sluice schema`: the JSON Schema of the configuration, for editors."""

from __future__ import annotations

import argparse

from gateway.cli.terminal import say_json

NAME = "schema"
HELP = "print the configuration's JSON Schema, for editors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take none; point yaml-language-server at the output."""
    parser.epilog = "sluice schema > sluice.schema.json, and `# yaml-language-server: $schema=sluice.schema.json`"


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    from gateway.settings.document.document import render_schema

    del args
    say_json(render_schema())
    return 0
