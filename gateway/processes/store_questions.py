"""What children that read the store are asked, and what they answer: JSON in, JSON out."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from gateway.gates.evidence import ShadowEvidence
from gateway.processes.release_facts import CourseQuestion
from gateway.record.evidence_query import EvidenceQuery
from gateway.record.store.evidence import read_evidence
from gateway.record.store.experiment import read_experiment
from gateway.record.store.reader import Reader
from gateway.report.course_look import MAX_UNITS, look_at
from gateway.report.shadow_columns import shadow_evidence_of, table_of


async def answer_evidence(reader: Reader, question: bytes) -> bytes:
    """Give what a rollout's gates look at: an `EvidenceQuery` in, an `Evidence` out."""
    query = msgspec.json.decode(question, type=EvidenceQuery)
    evidence = await read_evidence(reader, query)
    if query.shadow_route:
        evidence = replace(evidence, shadow=await read_shadow_evidence(reader, query))
    return msgspec.json.encode(evidence)


async def answer_turn(reader: Reader, question: bytes) -> bytes:
    """Give what follows from a course's users: a `CourseQuestion` in, a `Turn` out."""
    asked = msgspec.json.decode(question, type=CourseQuestion)
    turn = await look_at(
        asked.course,
        asked.closed,
        lambda query: read_experiment(reader, query, max_units=MAX_UNITS),
        unix_ms=asked.unix_ms,
    )
    return msgspec.json.encode(turn)


async def read_shadow_evidence(reader: Reader, query: EvidenceQuery) -> ShadowEvidence | None:
    """Give what the copies to a candidate came to; None while there is no pair."""
    lots = reader.pairs(query.shadow_route, since_unix_ms=query.shadow_since_unix_ms, shadow_variant=query.candidate)
    return shadow_evidence_of(table_of([pair async for lot in lots for pair in lot]))
