"""What may be asked of a request when its user, segments and arm are found."""

from __future__ import annotations

from typing import Protocol


class RequestView(Protocol):
    """
    A request, as far as identity needs it. `wire.view` makes one from a real request.

    Every answer is a string, NFC not yet applied, or None where the request has no such thing.
    Numbers and booleans of the body come as JSON writes them; objects, arrays and null are None.
    """

    def header(self, name: str) -> str | None:
        """Give the first header of this lower-case name, stripped; None when absent or empty."""
        ...

    def body(self, path: tuple[str, ...]) -> str | None:
        """Give the scalar at this path of the JSON body."""
        ...

    def first_user_message(self) -> str | None:
        """Give the text of the first user turn."""
        ...

    def last_user_message(self) -> str | None:
        """Give the text of the last user turn."""
        ...

    def client_key(self) -> str | None:
        """Give the API key the client sent, without `Bearer`."""
        ...
