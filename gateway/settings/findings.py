"""Where findings are gathered: every one with its place, so that an operator sees them all at once."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from gateway.errors import ConfigError, Finding
from gateway.settings.document.scalars import shown
from gateway.settings.yaml_tree import KeyPath, YamlTree, spell_path

MAX_FINDINGS = 200
"""More help nobody; a generated file with one mistake per route would fill a terminal."""


class Warned(NamedTuple):
    """A warning as it was given, to be given again when what it is about has moved."""

    path: KeyPath
    problem: str
    remedy: str
    key: bool


class Findings:
    """
    Errors and warnings about one file.

    Attributes:
        warned: Every warning as it was given, in that order.
        n_refused: How often something was refused.
    """

    def __init__(self, name: str, tree: YamlTree) -> None:
        self.name = name
        self.warned: list[Warned] = []
        self.n_refused = 0
        self._tree = tree
        self._errors: dict[tuple[int, int, str], Finding] = {}
        self._warnings: dict[tuple[int, int, str], Finding] = {}

    @property
    def has_errors(self) -> bool:
        """Tell whether anything was refused."""
        return bool(self._errors)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Give what is accepted but worth saying, in file order."""
        return tuple(self._warnings[place] for place in sorted(self._warnings))

    def refuse(self, path: KeyPath, problem: str, remedy: str = "", *, key: bool = False) -> None:
        """Note an error at the value, or the key, of `path`."""
        finding = self._finding(path, problem, remedy, key=key)
        self.n_refused += 1
        self._errors.setdefault((finding.line, finding.column, problem), finding)

    def warn(self, path: KeyPath, problem: str, remedy: str = "", *, key: bool = False) -> None:
        """Note something that is accepted."""
        finding = self._finding(path, problem, remedy, key=key)
        self.warned.append(Warned(path, problem, remedy, key))
        self._warnings.setdefault((finding.line, finding.column, problem), finding)

    def refuse_unknown(self, path: KeyPath, kind: str, name: str, known: Iterable[str], *, key: bool = False) -> None:
        """Note a name that names nothing, with the nearest one that does."""
        self.refuse(path, f"there is no {kind} {shown(name)}", nearest_of(name, known, kind), key=key)

    def raise_errors(self, files: Iterable[str] = ()) -> None:
        """
        Raise what was refused, in file order; `files` are those whose change may mend it.

        Raises:
            ConfigError: Something was.
        """
        if self._errors:
            raise ConfigError([self._errors[place] for place in sorted(self._errors)][:MAX_FINDINGS], files)

    def _finding(self, path: KeyPath, problem: str, remedy: str, *, key: bool) -> Finding:
        line, column = self._tree.place_of(path, key=key)
        return Finding(self.name, line, column, spell_path(path), problem, remedy)


def nearest_of(name: str, known: Iterable[str], kind: str) -> str:
    """
    Give the remedy for a name that names nothing.

    >>> nearest_of("concice", ["current", "concise"], "variant")
    "did you mean 'concise'?"
    """
    names = list(known)
    if near := get_close_matches(name[:64], names, n=1, cutoff=0.6):
        return f"did you mean {near[0]!r}?"
    if not names:
        return f"no {kind} is defined"
    listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"known: {listed}"
