"""The measured configuration: right, of the size it is said to be, and what the truth check knows."""

from __future__ import annotations

import orjson
import pytest

from bench.document import REPLACED_PROMPT, render_document, render_large_document
from bench.errors import BenchError
from bench.profile_worker import table_for
from bench.shape import ROUTE, Address
from bench.truth import check_sent
from gateway.domain.release import ReleaseKind
from gateway.domain.variant import Api

HERE = Address("127.0.0.1", 9)


def test_everything_is_on() -> None:
    """The route that is asked splits users in halves, and each variant rewrites."""
    route = table_for(HERE).route(ROUTE)
    assert route is not None and route.release.kind is ReleaseKind.SPLIT
    assert [arm.weight for arm in route.release.arms] == [5000, 5000]
    chat = [variant.rewrites[Api.CHAT] for variant in route.variants.values()]
    assert all(rewrite.system is not None and rewrite.set for rewrite in chat)


def test_large_document_is_large() -> None:
    """The file whose change is timed is as large as it may be, whatever number it carries."""
    sizes = {len(render_large_document(HERE, max_bytes=65_536, edit=edit).encode()) for edit in (0, 10, 999)}
    assert max(sizes) <= 65_536 and min(sizes) > 64_000


def test_edits_differ() -> None:
    """Every edit makes another file."""
    assert render_document(HERE, edit=1) != render_document(HERE, edit=2)


def test_truth_is_checked() -> None:
    """What a variant sends is compared with what its configuration says."""
    turns = [{"role": "system", "content": REPLACED_PROMPT}, {"role": "user", "content": "hi"}]
    sent = {"model": "bench-model", "temperature": 0.3, "messages": turns}
    check_sent(b"current", orjson.dumps(sent).decode())
    for wrong in ({**sent, "temperature": 1.0}, {**sent, "model": ROUTE}, {**sent, "messages": turns[1:]}):
        with pytest.raises(BenchError, match="something else"):
            check_sent(b"current", orjson.dumps(wrong).decode())
    with pytest.raises(BenchError):
        check_sent(b"", orjson.dumps(sent).decode())
