"""
Taking people's particulars out of text before it is written anywhere.

What is looked for is looked for generously: a number too many gone from a sample costs nothing. RE2 does the looking,
so that no text can make it slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import re2  # type: ignore[import-untyped]  # RE2: linear in the text, whatever the pattern

Redactor = Callable[[str], str]

# Everything beyond ASCII counts as a letter: Unicode's own classes make an automaton too large for RE2's memory.
_LETTER = r"A-Za-z0-9\x{A1}-\x{10FFFF}"
_EMAIL = re2.compile(
    rf"(?i)(?:mailto:)?(?:\"[^\"\s@]+\"|[{_LETTER}._%+!#$&'*/=?^`{{|}}~-]+)"
    r"(?:@|\s?[\[(](?:at|@)[\])]\s?|\s+at\s+)"
    rf"(?:\[[0-9.]+\]|(?:[{_LETTER}-]+(?:\.|\s?[\[(](?:dot|\.)[\])]\s?|\s+dot\s+))+[A-Za-z\x{{A1}}-\x{{10FFFF}}][{_LETTER}-]+)"
)
# Seven digits at least: every find costs as much as a kilobyte that is searched.
_DIGITS = re2.compile(r"(?:\+|\(|\b)[0-9](?:[0-9]|[\s.\x{00A0}\x{2010}-\x{2015}\x{202F}()/-]{1,3}[0-9]){6,}")
_DATE = re2.compile(r"^(?:[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4})$")

_CARD_DIGITS = range(13, 20)
_PHONE_DIGITS = range(7, 16)
_MAX_CARD_GAPS = 8


def redactor_of(kinds: Iterable[str]) -> Redactor:
    """
    Give what redacts these kinds.

    Args:
        kinds: Of `KINDS`.

    Raises:
        ValueError: One is not known.

    >>> redactor_of(["email", "phone"])("ask ann@example.org or +44 20 7946 0958, not room 12")
    'ask [email] or [phone], not room 12'
    """
    wanted = set(kinds)
    if unknown := wanted - KINDS.keys():
        msg = f"cannot redact {', '.join(sorted(unknown))}; known are {', '.join(KINDS)}"
        raise ValueError(msg)
    steps = [redact for kind, redact in KINDS.items() if kind in wanted]

    def redact_all(text: str) -> str:
        for redact in steps:
            text = redact(text)
        return text

    return redact_all


def redact_email(text: str) -> str:
    """Put `[email]` in place of addresses, also of those spelt with "at" and "dot"."""
    return str(_EMAIL.sub("[email]", text))


def redact_card(text: str) -> str:
    """Put `[card]` in place of 13 to 19 digits, grouped or not, whose check digit is right."""
    return str(_DIGITS.sub(lambda match: _without_cards(match.group(0)), text))


def redact_phone(text: str) -> str:
    """Put `[phone]` in place of 7 to 15 digits written the way telephone numbers are."""
    return str(_DIGITS.sub(lambda match: "[phone]" if _is_phone(match.group(0)) else match.group(0), text))


def is_luhn(digits: str) -> bool:
    """
    Tell whether the last digit checks the others.

    >>> is_luhn("4111111111111111"), is_luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _without_cards(written: str) -> str:
    """Replace the longest cards in a run of digits; a run may hold more than one number, or digits before it."""
    places = [place for place, sign in enumerate(written) if sign.isdigit()]
    shown, kept_to, start = [], 0, 0
    while start <= len(places) - _CARD_DIGITS.start:
        end = _end_of_card(written, places, start)
        if end is None:
            start += 1
            continue
        shown += [written[kept_to : places[start]], "[card]"]
        kept_to, start = places[end - 1] + 1, end
    return "".join([*shown, written[kept_to:]])


def _end_of_card(written: str, places: list[int], start: int) -> int | None:
    """Give one past the last digit of the longest card that begins with digit `start`."""
    if start and places[start - 1] == places[start] - 1:
        return None  # in the middle of a longer number
    for length in reversed(_CARD_DIGITS):
        end = start + length
        if end > len(places) or (end < len(places) and places[end] == places[end - 1] + 1):
            continue
        span = written[places[start] : places[end - 1] + 1]
        if len(span) - length <= _MAX_CARD_GAPS and is_luhn("".join(filter(str.isdigit, span))):
            return end
    return None


def _is_phone(written: str) -> bool:
    digits = sum(sign.isdigit() for sign in written)
    if digits not in _PHONE_DIGITS or _DATE.match(written):
        return False
    # Seven digits in one piece are an order number as often as not; a plus, a bracket or a gap says telephone.
    return written[0] in "+(" or digits >= 9 or digits != len(written)


KINDS: dict[str, Redactor] = {"email": redact_email, "card": redact_card, "phone": redact_phone}
"""What can be redacted, in the order it is done: a card must not be taken for a telephone."""
