"""Results add up."""

from __future__ import annotations

from gateway.simulator.population import Person, Planned
from gateway.simulator.tally import UNNAMED, Result, Tally, percentile, render_summary


def result(user: str | None, variant: str, *, error: str | None = None, thumb: bool | None = None) -> Result:
    """Give one result."""
    person = None if user is None else Person(user, "free", "en-US")
    planned = Planned(0, 0.0, person, "?", is_stream=False, is_responses=False)
    return Result(planned, variant, error, ttft_ms=None, duration_ms=10.0, thumb=thumb)


def tally_of(*results: Result) -> Tally:
    """Give the sums of `results`."""
    tally = Tally()
    for one in results:
        tally.add(one)
    return tally


def test_variants_add_up() -> None:
    """Requests, people, errors and thumbs of each variant."""
    summary = tally_of(
        result("a", "old", thumb=True), result("a", "old"), result("b", "new", error="InternalServerError 500")
    ).summary()
    assert (summary.variants["old"].n_requests, summary.variants["old"].n_users) == (2, 1)
    assert (summary.variants["new"].n_errors, summary.variants["new"].p50_ms) == (1, None)
    assert summary.variants["old"].n_up == 1
    assert summary.errors == {"InternalServerError 500": 1}


def test_movers_are_counted() -> None:
    """A user in two variants counts; an unnamed answer or an unnamed user does not."""
    summary = tally_of(
        result("a", "old"), result("a", "new"), result("b", "old"), result("b", UNNAMED), result(None, "new")
    ).summary()
    assert summary.users_seen_in_more_than_one_variant == 1
    assert (summary.n_users, summary.n_without_user) == (2, 1)


def test_sentence_says_it() -> None:
    """Shares, failures and movers in one sentence."""
    assert tally_of(result("a", "old"), result("b", "new")).summary().sentence() == (
        "2 requests of 2 users: new 50.0%, old 50.0%; 0 failed; no users saw more than one variant."
    )
    assert Tally().summary().sentence() == "Nothing was sent."


def test_sentence_counts_thumbs() -> None:
    """How many were acknowledged, and why the others were not."""
    tally = tally_of(result("a", "old", thumb=True))
    tally.n_feedback_given = 2
    tally.note_unacknowledged("unknown_metric")
    summary = tally.summary()
    assert summary.sentence().endswith("more than one variant; 2 of 3 thumbs acknowledged.")
    assert (summary.n_feedback_kept, summary.feedback_errors) == (1, {"unknown_metric": 1})


def test_percentile_is_a_value() -> None:
    """The nearest rank; none without values."""
    assert (percentile([3.0, 1.0, 2.0], 0.5), percentile([1.0], 0.95), percentile([], 0.5)) == (2.0, 1.0, None)


def test_summary_is_plain() -> None:
    """Its JSON has the figures scripts look for."""
    rendered = render_summary(tally_of(result("a", "old")).summary())
    assert rendered["users_seen_in_more_than_one_variant"] == 0 and rendered["variants"]["old"]["n_requests"] == 1
