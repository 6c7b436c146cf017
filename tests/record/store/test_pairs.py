"""Pairs are written once, redacted, without texts beside them, and come back as they were."""

from __future__ import annotations

import msgspec

from gateway.record.pair import Judged, Likeness, Pair, PairKind, key_of
from gateway.record.store.pairs import PairRows
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, judged, pair, side, texts


async def kept(store: Store, route: str = "support") -> list[Pair]:
    """Give every pair of a route."""
    return [each async for lot in store.reader.pairs(route) for each in lot]


async def test_comes_back_whole(store: Store) -> None:
    """What was kept is what is read, but for texts and reasons, which are asked for."""
    said = judged(pair("b")).judgement
    plain, full = (
        pair("a", likeness=None, segments={}),
        pair("b", unix_ms=NOW_UNIX_MS + 1, judgement=said, texts=texts()),
    )
    await store.keep_pairs([full, plain])
    bare = msgspec.structs.replace(full, texts=None, judgement=msgspec.structs.replace(said, reason=""))
    assert await kept(store) == [plain, bare]
    found = await store.reader.pair_texts([key_of(plain), key_of(full)])
    assert found == {key_of(full): msgspec.structs.replace(texts(), reason=said.reason)}


async def test_written_once(store: Store) -> None:
    """A pair that comes again, even changed and with texts, changes nothing; another kind is another pair."""
    await store.keep_pairs([pair(), pair(arm="other")])
    await store.keep_pairs([pair(arm="other", texts=texts()), pair(kind=PairKind.NOISE)])
    assert [(each.kind, each.arm) for each in await kept(store)] == [
        (PairKind.SHADOW, "concise"),
        (PairKind.NOISE, "concise"),
    ]
    assert await store.reader.pair_texts([key_of(pair())]) == {}


async def test_judged_later(store: Store) -> None:
    """A judgement finds its pair, in the same group or an earlier one; a later takes the place of an earlier."""
    first, second = pair("a", texts=texts()), pair("b")
    await store.keep_pairs([first, judged(first), second])
    await store.keep_pairs(
        [judged(second), judged(first, "No."), Judged("c", PairKind.SHADOW, "small", judged(first).judgement)]
    )
    found = await kept(store)
    assert [each.judgement for each in found] == [judged(first, "").judgement] * 2
    assert (await store.reader.pair_texts([key_of(first), key_of(second)]))[key_of(first)].reason == "No."


async def test_reasons_need_texts(store: Store) -> None:
    """Of a pair whose texts are not kept no words of its judge's are either."""
    await store.keep_pairs([pair(judgement=judged(pair(), "secret").judgement), judged(pair(), "secret")])
    columns = store.reader.columns_of("shadow_pairs")
    (row,) = await store.reader.rows_of(store.reader.select("shadow_pairs", *columns))
    assert not [value for value in row if "secret" in str(value)]


async def test_redacted(store: Store) -> None:
    """Texts, reasons and names of fields go through the route's redaction before they are written."""
    store.set_redaction(lambda route, text: text.replace("ann", f"[{route}]"))
    secret = pair(texts=texts("ann"), likeness=Likeness(False, False, 0.5, ["$.ann"], 1))
    await store.keep_pairs([secret])
    await store.keep_pairs([judged(secret, "ann says so")])
    words = (await store.reader.pair_texts([key_of(secret)]))[key_of(secret)]
    assert (words.prompt, words.primary, words.shadow, words.reason) == (
        '["[support]"]',
        "[support] 1",
        "[support] 2",
        "[support] says so",
    )
    assert [each.likeness.changed_fields for each in await kept(store) if each.likeness] == [["$.[support]"]]


async def test_columns(store: Store) -> None:
    """Whoever opens the store with sqlite3 or psql finds what matters in columns; no number breaks one."""
    await store.keep_pairs([pair(primary=side(cost_usd=float("nan"), error_code="a\0b")), judged(pair())])
    names = ("primary_cost_usd", "primary_error", "shadow_safety", "similarity", "vote", "vote_shadow_first")
    assert await store.reader.rows_of(store.reader.select("shadow_pairs", *names)) == [
        (None, "ab", "refused", 0.75, 0, 0)
    ]


def test_strange_routes() -> None:
    """A judgement of a pair that nobody knows is redacted as for a route that nobody knows."""
    rows = PairRows([judged(pair())], lambda route, text: f"<{route}>{text}", {})
    assert rows.reasons == ["<>The second is shorter."]
