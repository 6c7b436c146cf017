"""The books balance, or say that they do not."""

from __future__ import annotations

from gateway.record.account import Account, StoreState


def test_balanced() -> None:
    """Every accepted row is somewhere."""
    assert Account(accepted=10, stored=4, queued=3, spooled=1, dropped={"spool_full": 1, "unfit": 1}).is_balanced
    assert not Account(accepted=10, stored=4).is_balanced


def test_begins_empty() -> None:
    """Before anything happened nothing is known of the store."""
    account = Account()
    assert account.is_balanced and account.store is StoreState.OPENING and account.store_error is None
