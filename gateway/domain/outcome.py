"""What can be said of how a request ended: whose failure it was, and whether anything unsafe was stopped."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Whose failure it was. Only PROVIDER counts against an arm."""

    NONE = "none"
    CLIENT = "client"
    GATEWAY = "gateway"
    PROVIDER = "provider"


class Safety(StrEnum):
    """What every provider's safety signals come down to."""

    NONE = "none"
    INPUT_BLOCKED = "input_blocked"
    OUTPUT_BLOCKED = "output_blocked"
    REFUSED = "refused"
    FLAGGED = "flagged"
