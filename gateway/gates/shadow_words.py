"""How the verdict on a shadow speaks: a sentence per finding, and a headline a product owner can act on."""

from __future__ import annotations

from gateway.gates.sentence import counted, percent
from gateway.gates.shadow_findings import PairFindings
from gateway.gates.shadow_verdict import Finding, Harm, ShadowRule, ShadowState

_RATES = {
    "errors": ("Requests fail", "fails more often", "fails less often"),
    "safety": (
        "Answers are blocked or flagged",
        "has more answers blocked or flagged",
        "has fewer answers blocked or flagged",
    ),
    "refusals": ("The model refuses", "refuses more often", "refuses less often"),
    "format": ("The asked-for format is kept", "breaks the asked-for format more often", "keeps the format better"),
}
_RATIOS = {
    "cost": ("The cost", "costs {} times as much", "costs {} less"),
    "ttft": ("The typical time to the first token", "takes {} times as long to begin", "begins {} sooner"),
    "ttft_p95": (
        "The 95th percentile of times to the first token",
        "takes {} times as long to begin at the slow end",
        "begins {} sooner at the slow end",
    ),
    "duration": ("The typical duration", "takes {} times as long", "is done {} sooner"),
    "duration_p95": (
        "The 95th percentile of durations",
        "takes {} times as long at the slow end",
        "is done {} sooner at the slow end",
    ),
    "output_tokens": ("The number of output tokens", "", ""),
    "length": ("The length of answers", "", ""),
}
_LIKENESS = {
    "similarity": "Similarity to the primary's answer (share of common words)",
    "equal": "Share of answers that say the same",
    "other_fields": "Share of JSON answers with other values",
    "other_tools": "Share of answers that call other tools, or with other arguments",
}
_MOST_NAMED = 3


def sentence(finding: Finding) -> str:
    """Give a finding in words: what, how sure, what it means."""
    if finding.name == "quality":
        return f"{_preferred(finding)} {_meaning(finding)}"
    if finding.name in _RATES:
        points = _interval(finding, 100, "+.2f")
        against = f"{percent(finding.shadow or 0)} of the time, {percent(finding.primary or 0)} with the primary"
        return f"{_RATES[finding.name][0]} {against}: {points} points. {_meaning(finding)}"
    if finding.name in _RATIOS:
        return f"{_RATIOS[finding.name][0]} is {_interval(finding, 1, '.2f')} times the primary's. {_meaning(finding)}"
    if finding.name in _LIKENESS:
        return _likeness(finding)
    return _of_judge(finding)


def headline(
    state: ShadowState, findings: tuple[Finding, ...], found: PairFindings, rule: ShadowRule, wants: int | None
) -> str:
    """Give the verdict in one or two sentences: what, how sure, what next."""
    seen = _seen(found)
    worse = _named([one for one in findings if one.is_worse])
    better = _named([one for one in findings if one.is_better])
    sure = f"{percent(1 - rule.alpha)} sure, from {seen}"
    judged = "" if any(one.name == "quality" for one in findings) else " Nobody judged what the answers say."
    if state is ShadowState.WORSE:
        return f"The shadow is worse: it {worse} ({sure}). Mend that before any user sees it."
    if state is ShadowState.MIXED:
        return f"The shadow {better}, but it {worse} ({sure}). Decide which matters more, or mend what is worse."
    if state is ShadowState.BETTER:
        return f"The shadow is better: it {better}, and nothing else is worse ({sure}).{judged} Begin a rollout."
    if state is ShadowState.NO_DIFFERENCE:
        return f"No difference that matters, in anything measured ({sure}).{judged} It is safe to begin a rollout."
    return _insufficient(findings, found, rule, better, wants)


def warnings_of(findings: tuple[Finding, ...], found: PairFindings, rule: ShadowRule) -> tuple[str, ...]:
    """Give what weakens the verdict, a sentence each."""
    said = []
    by_name = {one.name: one for one in findings}
    noise, position = by_name.get("judge_noise"), by_name.get("judge_position")
    if noise is not None and noise.p < rule.bias_alpha:
        said.append(
            f"The judge is biased: of two answers of the same variant it prefers the second in {percent(noise.effect)}"
            f" of decisive pairs ({percent(noise.low)} to {percent(noise.high)}) where it should be half. Its votes on"
            " the shadow are shown, and not believed."
        )
    if position is not None and is_position_biased(position, rule):
        judged = found.shadow.judged
        n_ties = 0 if judged is None else judged.n_inconsistent
        place = "first" if position.effect > 0.5 else "second"
        share = max(position.effect, 1 - position.effect)
        said.append(
            f"The judge prefers what stands {place}: {percent(share)} of its votes. Pairs are asked in both orders,"
            f" so this makes ties ({counted(n_ties, 'pair')}) and no winner; another judge would decide more of them."
        )
    if found.noise is None:
        said.append("There are no noise pairs, so nobody knows how much the primary differs from itself.")
    if found.shadow.judged is None:
        said.append("No judge compared the answers: differences in what they say are not part of this verdict.")
    elif found.shadow.judged.preference is None:
        said.append(f"The judge has compared {counted(found.shadow.judged.n_judged, 'pair')} only: too few to say.")
    return tuple(said)


def is_position_biased(finding: Finding, rule: ShadowRule) -> bool:
    """Tell whether a judge surely prefers a place, and by more than a little."""
    return finding.p < rule.bias_alpha and abs(finding.effect - finding.null) > finding.margin


def _insufficient(
    findings: tuple[Finding, ...], found: PairFindings, rule: ShadowRule, better: str, wants: int | None
) -> str:
    seen = _seen(found)
    open_ones = [one.name.replace("_", " ") for one in findings if one.is_decisive and not one.is_enough]
    if found.shadow.n_users < rule.min_users:
        return f"Not enough was seen ({seen}). At least {counted(rule.min_users, 'user')} are wanted."
    what = f"The shadow {better}, but not enough was seen" if better else "Not enough was seen"
    about = f" to exclude harm in {_listed(open_ones)}" if open_ones else " to say anything"
    if found.noise is not None and found.shadow.judged is None and not open_ones and wants is None:
        return f"Nothing measured is worse ({seen}), but the answers differ, and nobody judged them. Add a judge."
    if any(one.name == "quality" and not one.is_decisive for one in findings):
        return (
            f"Nothing measured is worse ({seen}), but the judge is biased, so nobody knows what the answers are worth."
        )
    more = f" About {counted(wants, 'more pair')} are wanted." if wants else " Let it run on."
    return f"{what}{about} ({seen}).{more}"


def _seen(found: PairFindings) -> str:
    return f"{counted(found.shadow.n_pairs, 'pair')} of {counted(found.shadow.n_users, 'user')}"


def _named(findings: list[Finding]) -> str:
    names = {one.name for one in findings}
    # Who is slow is slow at the slow end too.
    said = [_deed(one) for one in findings if one.name.removesuffix("_p95") == one.name or one.name[:-4] not in names]
    more = len(said) - _MOST_NAMED
    return _listed(said[:_MOST_NAMED] + ([f"{more} more"] if more > 0 else []))


def _deed(finding: Finding) -> str:
    if finding.name == "quality":
        share = finding.shadow or 0.0
        against = finding.primary or 0.0
        if finding.is_worse:
            return f"loses {percent(against)} of what the judge decided"
        return f"wins {percent(share)} of what the judge decided"
    if finding.name in _RATES:
        _, worse, better = _RATES[finding.name]
        shares = f"({percent(finding.shadow or 0)} against {percent(finding.primary or 0)})"
        return f"{worse if finding.is_worse else better} {shares}"
    _, more, less = _RATIOS[finding.name]
    # Against how the primary's variant differs from itself, where that is what was judged.
    effect = finding.effect / (finding.noise_effect or 1.0 if finding.is_adjusted else 1.0)
    return more.format(f"{effect:.1f}") if effect > 1 else less.format(percent(1 - effect))


def _preferred(finding: Finding) -> str:
    if finding.unit == "difference":
        shares = f"{percent(finding.shadow or 0)} of pairs and the primary in {percent(finding.primary or 0)}"
        return f"The judge preferred the shadow in {shares}; the rest are ties."
    among = f"{percent(finding.effect)} of {counted(finding.n_pairs, 'decisive pair')}"
    return f"The judge preferred the shadow in {among} ({percent(finding.low)} to {percent(finding.high)})."


def _meaning(finding: Finding) -> str:
    """Give what the numbers mean."""
    adjusted = " Measured against how the primary's variant differs from itself." if finding.is_adjusted else ""
    if finding.is_worse:
        return f"Worse, by more than matters.{adjusted}"
    if finding.is_better:
        return f"Better, by more than matters.{adjusted}"
    if finding.harm is Harm.NEITHER:
        return "Neither good nor bad in itself."
    if not finding.is_decisive:
        return "Not believed: the judge is biased."
    if not finding.is_enough:
        more = "" if finding.wants_pairs is None else f": about {counted(finding.wants_pairs, 'more pair')}"
        return f"Too few to exclude harm{more}."
    return f"No difference that matters.{adjusted}"


def _likeness(finding: Finding) -> str:
    name = _LIKENESS[finding.name]
    if finding.unit == "share":
        return f"{name}: {percent(finding.effect)} ({percent(finding.low)} to {percent(finding.high)})."
    own = f"{percent(finding.shadow or 0)}; the primary's variant against itself {percent(finding.primary or 0)}"
    if finding.p < 0.01 and abs(finding.effect) > finding.margin:
        is_less = finding.effect < 0 if finding.name in {"similarity", "equal"} else finding.effect > 0
        return f"{name}: {own}. It differs {'more' if is_less else 'less'} than the primary does from itself."
    return f"{name}: {own}. It differs no more than the primary does from itself."


def _of_judge(finding: Finding) -> str:
    shares = f"{percent(finding.effect)} ({percent(finding.low)} to {percent(finding.high)})"
    if finding.name == "judge_noise":
        return f"Of two answers of the same variant the judge preferred the second in {shares}; it should be half."
    return f"What stood first got {shares} of the judge's votes; it should be half."


def _interval(finding: Finding, scale: float, form: str) -> str:
    ends = " to ".join(f"{end * scale:{form}}" for end in (finding.low, finding.high))
    return f"{finding.effect * scale:{form}} ({ends})"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
