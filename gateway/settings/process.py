"""How the processes run: from flags, then `SLUICE_*` in the environment, then these defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.errors import StateError
from gateway.settings.address import is_loopback

MAX_WORKERS = 64
_DEFAULT_MOST_WORKERS = 8
_POOR_TOKENS = frozenset({"", "changeme", "change-me", "secret", "token", "admin", "password", "sluice"})
_MIN_TOKEN_CHARS = 16


class ProcessSettings(BaseSettings):
    """
    Where to listen, how many workers, where state lives.

    Both ports listen on loopback unless told otherwise: who exposes a gateway should know it.
    """

    model_config = SettingsConfigDict(
        env_prefix="SLUICE_", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    config: Path = Field(default=Path("sluice.yaml"), description="The YAML file.")
    host: str = Field(default="127.0.0.1", description="Where apps connect.")
    port: int = Field(default=8080, ge=0, le=65_535, description="0 lets the system choose.")
    admin_host: str = Field(default="127.0.0.1", description="Where operators connect.")
    admin_port: int = Field(default=8081, ge=0, le=65_535, description="0 lets the system choose.")
    workers: int = Field(default_factory=lambda: min(os.cpu_count() or 1, _DEFAULT_MOST_WORKERS), ge=1, le=MAX_WORKERS)
    store: str | None = Field(default=None, description="sqlite:///… or postgresql://….", repr=False)
    state: Path = Field(default=Path(".sluice"), description="What must outlive a process.")
    admin_token: SecretStr | None = Field(default=None, description="SLUICE_ADMIN_TOKEN; needed off loopback.")
    viewer_token: SecretStr | None = Field(default=None, description="SLUICE_VIEWER_TOKEN; may look, not change.")
    events: str = Field(default="", description="Log events sent over OTLP: feature_flag, evaluation or both.")
    dev: bool = Field(default=False, description="An edited variant is served at once.")
    linger_s: float = Field(default=1.0, ge=0, le=600, description="How long to accept after saying not ready.")
    drain_timeout_s: float = Field(default=30.0, ge=0, le=3_600, description="For requests in flight at the end.")

    def __init__(self, **flags: Any) -> None:
        """
        Read the settings; `flags` come before the environment.

        Raises:
            StateError: A setting is wrong; the message names each, and never its value.
        """
        try:
            super().__init__(**flags)
        except ValidationError as error:
            raise StateError(_words_of(error)) from None

    @field_validator("store")
    @classmethod
    def _known_store(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("sqlite:///", "postgresql://")):
            msg = "store wants sqlite:///PATH or postgresql://…"
            raise ValueError(msg)
        return value

    @field_validator("events")
    @classmethod
    def _known_events(cls, value: str) -> str:
        if not value:
            return value
        from gateway.telemetry.events import EventKind, parse_events  # Another 40 ms, and rarely needed.

        try:
            parse_events(value)
        except ValueError:
            msg = f"events wants {' or '.join(EventKind)}, or both with a comma"
            raise ValueError(msg) from None
        return value

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        token, viewers = _words_in(self.admin_token), _words_in(self.viewer_token)
        if viewers and not token:
            msg = "SLUICE_VIEWER_TOKEN acts only beside SLUICE_ADMIN_TOKEN: without one, this machine needs no token"
            raise ValueError(msg)
        if viewers and viewers == token:
            msg = "SLUICE_VIEWER_TOKEN and SLUICE_ADMIN_TOKEN are the same, so every viewer could change everything"
            raise ValueError(msg)
        if is_loopback(self.admin_host):
            return self
        if viewers and (viewers.lower() in _POOR_TOKENS or len(viewers) < _MIN_TOKEN_CHARS):
            msg = f"SLUICE_VIEWER_TOKEN must hold a token of at least {_MIN_TOKEN_CHARS} characters, or nothing"
            raise ValueError(msg)
        if token.lower() in _POOR_TOKENS or len(token) < _MIN_TOKEN_CHARS:
            msg = (
                f"admin_host {self.admin_host} is reachable from elsewhere, so SLUICE_ADMIN_TOKEN must hold "
                f"a token of at least {_MIN_TOKEN_CHARS} characters (such as from `openssl rand -hex 32`)"
            )
            raise ValueError(msg)
        return self


def _words_in(secret: SecretStr | None) -> str:
    return secret.get_secret_value().strip() if secret is not None else ""


def _words_of(error: ValidationError) -> str:
    lines = []
    for detail in error.errors(include_url=False, include_input=False):
        name = ".".join(str(step) for step in detail["loc"])
        reason = detail["msg"].removeprefix("Value error, ")
        flag = name.removesuffix("_s").replace("_", "-")
        lines.append(f"--{flag} (SLUICE_{name.upper()}): {reason}" if name else reason)
    return "\n".join(lines)
