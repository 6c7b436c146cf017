"""Particulars are found however people write them, and ordinary numbers stay."""

from __future__ import annotations

import random
import time

import pytest

from gateway.record.redact import KINDS, is_luhn, redactor_of

FRAMES = ("{}", "call {}.", "({})", "my one is: {}, thanks", "x={}\n", '"{}"', "日本 {} 語", "<{}>")


def corpus(kind: str) -> list[str]:
    """Give a thousand particulars of one kind, the same every time."""
    chance = random.Random(kind)
    make = {"email": an_email, "phone": a_phone, "card": a_card}[kind]
    return [make(chance) for _ in range(1_000)]


def digits(chance: random.Random, count: int) -> str:
    """Give so many digits, the first no zero."""
    return str(chance.randint(10 ** (count - 1), 10**count - 1))


def an_email(chance: random.Random) -> str:
    """Give an address, now and then spelt out."""
    name = chance.choice(["ann", "ann.lee", "a_l+news", "o'brien", "jörg", "x-1", "A.B.C", "user%site"])
    host = chance.choice(
        ["example.org", "mail.example.co.uk", "münchen.example", "EXAMPLE.COM", "xn--bcher-kva.example"]
    )
    at = chance.choice(["@", "@", "@", "@", " at ", "[at]", " (at) "])
    return f"{name}{chance.randint(0, 99)}{at}{host.replace('.', ' dot ') if at == ' at ' else host}"


def a_phone(chance: random.Random) -> str:
    """Give a telephone number the way some country writes it."""
    shape = chance.choice(
        [
            "+1 ### ### ####",
            "(###) ###-####",
            "###-###-####",
            "###.###.####",
            "+44 20 #### ####",
            "+49 (0)30 #######",
            "+33 1 ## ## ## ##",
            "0## ########",
            "+81-3-####-####",
            "##########",
            "+############",
            "555 ####",
        ]
    )
    return "".join(chance.choice("23456789") if sign == "#" else sign for sign in shape)


def a_card(chance: random.Random) -> str:
    """Give a card's number with its check digit, grouped somehow."""
    prefix, count = chance.choice(
        [("4", 16), ("51", 16), ("2221", 16), ("34", 15), ("6011", 16), ("36", 14), ("62", 19)]
    )
    body = prefix + digits(chance, count - 1 - len(prefix))
    number = next(body + check for check in "0123456789" if is_luhn(body + check))
    gap = chance.choice(["", " ", "-", "."])
    return gap.join(number[start : start + 4] for start in range(0, count, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_recall(kind: str) -> None:
    """Of a thousand particulars at least 99 of a hundred leave no trace, whatever stands around them."""
    redact = redactor_of([kind])
    chance = random.Random(1)
    missed = [
        (text, shown)
        for each in corpus(kind)
        for text in [chance.choice(FRAMES).format(each)]
        if each in (shown := redact(text)) or f"[{kind}]" not in shown or sum(map(str.isdigit, shown)) > 2
    ]
    assert len(missed) <= 10, missed[:5]


@pytest.mark.parametrize(
    "text",
    [
        "room 12, 3rd floor",
        "from 2026-11-22 to 2026-12-01",
        "it costs 1299 or 19.99",
        "temperature 0.7, 4096 tokens",
        "meet at noon",
        "order 4111111111111112",
        "v1.2.3",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """What is nobody's particular is left as it is."""
    kinds = ["email", "card"] if text.startswith("order") else list(KINDS)
    assert redactor_of(kinds)(text) == text


def test_cards_among_digits() -> None:
    """Two cards in a row are two; digits before one are not part of it."""
    redact = redactor_of(["card"])
    assert redact("12 4111 1111 1111 1111 5555 5555 5555 4444") == "12 [card] [card]"


def test_twice_is_once() -> None:
    """What is redacted stays as it is when it is redacted again."""
    redact = redactor_of(KINDS)
    once = redact("ann@example.org, 4111 1111 1111 1111, +44 20 7946 0958")
    assert redact(once) == once == "[email], [card], [phone]"


def test_unknown_kind() -> None:
    """A kind nobody knows is an error that names those there are."""
    with pytest.raises(ValueError, match="known are email, card, phone"):
        redactor_of(["iban"])


@pytest.mark.parametrize("text", ["1 " * 50_000, "a@" * 50_000, "a." * 50_000, "1" * 100_000, " at x" * 20_000])
def test_bounded_time(text: str) -> None:
    """No text of a hundred kilobytes takes long."""
    began_s = time.process_time()
    redactor_of(KINDS)(text)
    assert time.process_time() - began_s < 5
