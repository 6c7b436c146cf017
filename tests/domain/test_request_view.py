"""A request view is a shape: anything with its five questions will do."""

from gateway.assign.identity import CompiledIdentity
from gateway.domain.identity import Identity, Source, SourceKind
from gateway.domain.request_view import RequestView


class Bare:
    """A request with one header."""

    def header(self, name: str) -> str | None:
        """Give the one header."""
        return "ana" if name == "x-user-id" else None

    def body(self, path: tuple[str, ...]) -> str | None:
        """Give nothing."""
        return None

    def first_user_message(self) -> str | None:
        """Give nothing."""
        return None

    def last_user_message(self) -> str | None:
        """Give nothing."""
        return None

    def client_key(self) -> str | None:
        """Give nothing."""
        return None


def test_view_is_a_shape() -> None:
    """A class that never heard of RequestView serves as one."""
    view: RequestView = Bare()
    identity = Identity(user=(Source(SourceKind.HEADER, "x-user-id"),))
    assert CompiledIdentity(identity).user(view) == "ana"
