"""Whose failure an answer's status is (the contract's "whose failure")."""

from __future__ import annotations

from gateway.domain.outcome import Fault
from gateway.domain.variant import Rewrite

_OURS_BY_KEY = frozenset({401, 403, 404, 429})
"""With a key of ours these speak of the account, the model or the quota that a variant chose."""


def fault_of(status: int, *, is_client_key: bool, param: str | None, rewrite: Rewrite) -> Fault:
    """
    Give whose failure a provider's `status` is.

    Args:
        status: 100 to 599.
        is_client_key: The provider was called with the client's own key.
        param: The field that the error body names, as `max_tokens` or `messages[0].role`.
        rewrite: What we had written into the request.
    """
    if status < 400:
        return Fault.NONE
    if status >= 500:
        return Fault.PROVIDER
    if status in _OURS_BY_KEY:
        return Fault.CLIENT if is_client_key else Fault.PROVIDER
    if param is not None and _top_of(param) in written_fields(rewrite):
        return Fault.PROVIDER
    return Fault.CLIENT


def written_fields(rewrite: Rewrite) -> frozenset[str]:
    """Give the top-level fields that `rewrite` may have written."""
    names = {path[0] for path, _ in (*rewrite.set, *rewrite.default)}
    names.update(new for _, new in rewrite.rename)
    names.update(clamp.path[0] for clamp in rewrite.clamp)
    if rewrite.model is not None:
        names.add("model")
    if rewrite.system is not None:
        names.update(("messages", "instructions", "input"))
    return frozenset(names)


def _top_of(param: str) -> str:
    return param.partition(".")[0].partition("[")[0]
