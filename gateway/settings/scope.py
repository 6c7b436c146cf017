"""What every part of the compiler is handed: the document, where to complain, and where values stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.domain.metric import Metric
from gateway.domain.shadow import JudgedMetric
from gateway.settings.document.document import Document
from gateway.settings.document.scalars import shown
from gateway.settings.document.section import EnvironmentReference, FileReference
from gateway.settings.files import NamedFiles
from gateway.settings.findings import Findings
from gateway.settings.prices import PriceList
from gateway.settings.yaml_tree import KeyPath

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_SHOWABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}\Z")


class Asked:
    """
    What was read of the outside, by name.

    Attributes:
        texts: Files.
        secrets: Files that hold secrets.
        variables: The environment's.
    """

    __slots__ = ("secrets", "texts", "variables")

    def __init__(self) -> None:
        self.texts: set[str] = set()
        self.secrets: set[str] = set()
        self.variables: set[str] = set()


@dataclass(frozen=True, slots=True)
class Scope:
    """
    One compilation.

    Attributes:
        document: The file, its shape known to be right.
        findings: Where errors and warnings go.
        files: What the file names.
        environ: The environment.
        asked: What was read of it and of the files.
        prices: What models cost.
        metrics: Those of the document that are right, once they are compiled.
        judged: Those that a judge fills in, once they are compiled.
        judges: Names of the routes that judge.
    """

    document: Document
    findings: Findings
    files: NamedFiles
    environ: Mapping[str, str] = field(repr=False)
    asked: Asked = field(default_factory=Asked, repr=False)
    prices: PriceList = field(default_factory=PriceList, repr=False)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    judged: tuple[JudgedMetric, ...] = ()
    judges: frozenset[str] = frozenset()

    def read_text(self, path: KeyPath, value: str | FileReference) -> str | None:
        """Give inline text or a file's; None, with a finding, when it cannot be read."""
        if isinstance(value, str):
            return value
        self.asked.texts.add(value.file)
        try:
            return self.files.read_text(value.file)
        except (OSError, ValueError) as error:
            self._refuse_file((*path, "file"), value.file, error)
            return None

    def read_json(self, path: KeyPath, value: Any) -> Any:
        """Give inline JSON or a file's; None, with a finding, when it cannot be read."""
        if not isinstance(value, FileReference):
            return value
        text = self.read_text(path, value)
        if text is None:
            return None
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            problem = f"{shown(value.file)} is not JSON: line {error.lineno}, column {error.colno}"
            self.findings.refuse((*path, "file"), problem, "mend that file")
            return None

    def read_environment(self, path: KeyPath, name: str, *, key_of: str = "") -> str | None:
        """Give an environment variable's value, stripped; None, with a finding, when there is none."""
        if not _ENVIRONMENT_NAME.match(name):
            problem = "this is not the name of an environment variable"
            self.findings.refuse(path, problem, "write the variable's name here, and the secret into the variable")
            return None
        self.asked.variables.add(name)
        value = self.environ.get(name, "").strip()
        # A key pasted in place of a name is seldom all capitals, and must not be repeated.
        called = name if _SHOWABLE_NAME.match(name) else "named here"
        if not value:
            state = "empty" if name in self.environ else "not set"
            self.findings.refuse(path, f"the environment variable {called} is {state}", f"set it{key_of}")
            return None
        return self._clean(path, value, f"the environment variable {called}")

    def read_secret(self, path: KeyPath, name: str) -> str | None:
        """Give a secret file's text, stripped; None, with a finding, when there is none."""
        self.asked.secrets.add(name)
        try:
            value = self.files.read_secret(name)
        except (OSError, ValueError) as error:
            self._refuse_file(path, name, error)
            return None
        if not value:
            self.findings.refuse(path, f"{shown(name)} is empty", "write the secret into it")
            return None
        return self._clean(path, value, shown(name))

    def read_reference(self, path: KeyPath, value: str | EnvironmentReference | FileReference) -> str | None:
        """Give a header's value, wherever it stands; None, with a finding, when it cannot be had."""
        if isinstance(value, EnvironmentReference):
            return self.read_environment((*path, "env"), value.env)
        if isinstance(value, FileReference):
            return self.read_secret((*path, "file"), value.file)
        return self._clean(path, value.strip(" \t"), "this")

    def _clean(self, path: KeyPath, value: str, what: str) -> str | None:
        if all(" " <= char <= "~" or char == "\t" for char in value):
            return value
        problem = f"{what} holds characters that a header cannot carry"
        self.findings.refuse(path, problem, "only printable ASCII, no line breaks")
        return None

    def _refuse_file(self, path: KeyPath, name: str, error: OSError | ValueError) -> None:
        if isinstance(error, UnicodeDecodeError):
            reason = "it is not UTF-8"
        else:
            reason = getattr(error, "strerror", None) or "the path is unusable"
        where = self.files.path_of(name)
        problem = f"cannot read {shown(name)}: {reason[0].lower()}{reason[1:]}"
        self.findings.refuse(path, problem, f"it is looked for as {where}" if "\0" not in name else "")
