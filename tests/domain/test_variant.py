"""A variant's kinds of call are the paths apps use, and its headers stay unseen."""

from gateway.domain.variant import Api, Rewrite, Variant


def test_api_is_the_path() -> None:
    """The value of a kind of call is its path below /v1."""
    assert {str(api) for api in Api} == {"/chat/completions", "/responses", "/completions", "/embeddings"}


def test_rewrite_is_empty_at_first() -> None:
    """A rewrite that says nothing equals another, so that an untouched body can be told."""
    assert Rewrite() == Rewrite()
    assert Rewrite() != Rewrite(unset=(("temperature",),))


def test_repr_hides_headers() -> None:
    """Headers may hold keys and are not printed."""
    variant = Variant("v", "p", "m", {}, headers=(("x-api-key", "canary"),))
    assert "canary" not in repr(variant)
