"""`sluice plan`: what an experiment would need and could tell, or a shadow would cost, before it is switched on."""

from __future__ import annotations

import argparse

from gateway.cli import plan_experiment, plan_shadow

NAME = "plan"
HELP = "users and days that an experiment needs and what it can find; or what a shadow would cost"

EXAMPLES = """examples:
  sluice plan --baseline 80% --lift 5% --users-per-day 1000
  sluice plan --baseline 80% --users-per-day 1000 --days 14
  sluice plan --mean 4.1 --sd 1.2 --effect 0.1
  sluice plan --cv 120% --lift=-10%
  sluice plan --baseline 80% --lift 5% --factorial 5x3x2
  sluice plan --change-type prompt_wording --users-per-day 1000
  sluice plan --article
  sluice plan shadow support --prompts prompts.txt --requests-per-day 50000
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is planned, and what it is reckoned from."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("what", choices=("experiment", "shadow"), nargs="?", default="experiment", help="(experiment)")
    parser.add_argument("route", metavar="ROUTE", nargs="?", help="of a shadow; the only one with shadows otherwise")
    parser.add_argument("--json", action="store_true", help="for scripts")
    plan_experiment.add_arguments(parser.add_argument_group("experiment"))
    plan_shadow.add_arguments(parser.add_argument_group("shadow"))


def run(args: argparse.Namespace) -> int:
    """Reckon and say; 0 when it can be told, 1 when it cannot within 90 days, 2 when nothing can be reckoned."""
    return plan_shadow.run(args) if args.what == "shadow" else plan_experiment.run(args)
