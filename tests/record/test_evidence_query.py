"""A question crosses to another process whole."""

import msgspec

from gateway.domain.metric import Metric, MetricKind
from gateway.record.evidence_query import EvidenceQuery


def test_crosses() -> None:
    """What is written is what is read, metrics and all."""
    metric = Metric("faithfulness", MetricKind.SCORE, range=(0, 1), good=0.7, catastrophic=0.2)
    query = EvidenceQuery("support", "old", "new", ((1, 500, 9_500),), (1,), (metric,), ("plan",), 5, 9)
    assert msgspec.json.decode(msgspec.json.encode(query), type=EvidenceQuery) == query
