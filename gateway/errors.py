"""
Everything Sluice raises on purpose:

    SluiceError
    ├── ConfigError                 the file is wrong; exit 2, never seen by clients
    ├── StateError                  the state directory is unusable or taken; exit 2
    └── GatewayError                a request cannot be served; becomes an OpenAI error body
        ├── BadRequestError         400  the client's doing
        │   ├── TooLargeError       413  body over the route's limit
        │   ├── UnsupportedMediaError 415  an encoding or content type we do not read
        │   └── HeadersTooLargeError 431  header block over the limit
        ├── ContentBlockedError     400  a guard kept the answer from the client
        ├── ForbiddenError          403  a client may not do this here
        ├── NoRouteError            404  no route takes this model, or no such path
        ├── MethodError             405  the path exists, the method does not
        ├── RequestTimeoutError     408  the client stopped sending
        ├── QuotaError              429  a client's or route's limit; carries retry_after_s
        ├── NotYetError             501  understood, not built yet
        ├── OverloadedError         503  ours; carries retry_after_s
        └── UpstreamError           502  the provider's doing; counts against its arm
            ├── UpstreamConnectError    502
            ├── UpstreamTimeoutError    504  `phase` says connect, first_byte or idle
            └── UpstreamBrokenError     502  the answer ended early or was not HTTP

Status, type and code are class attributes, so `wire.problem` needs no switch. What one does
not like (an open breaker, too little data, a client that left) is a result, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable


class SluiceError(Exception):
    """The root: catch it to tell our refusals from our bugs."""


class StateError(SluiceError):
    """The state directory cannot be used; the message says why and what to do."""


class ConfigError(SluiceError):
    """
    The file is wrong. Holds every finding, not just the first.

    Attributes:
        findings: One `Finding` each, in file order.
        files: Paths that the file names, there or not: a change of one of these may mend it.
    """

    def __init__(self, findings: list[Finding], files: Iterable[str] = ()) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings
        self.files = frozenset(files)


class Finding:
    """
    One thing wrong with a file: where, what, and the way out.

    >>> str(Finding("sluice.yaml", 41, 18, "routes.support.release", "weights add up to 90%", "make them 100%"))
    'sluice.yaml:41:18 routes.support.release: weights add up to 90%; make them 100%'
    """

    __slots__ = ("column", "file", "key_path", "line", "problem", "remedy")

    def __init__(self, file: str, line: int, column: int, key_path: str, problem: str, remedy: str = "") -> None:
        self.file = file
        self.line = line
        self.column = column
        self.key_path = key_path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        """Give `file:line:col key.path: problem; remedy`."""
        where = f"{self.file}:{self.line}:{self.column}"
        path = f" {self.key_path}:" if self.key_path else ":"
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{where}{path} {self.problem}{remedy}"


class GatewayError(SluiceError):
    """
    A request cannot be served.

    Attributes:
        status: HTTP status, 400 to 599.
        type: OpenAI's `error.type`.
        code: OpenAI's `error.code`; ours, stable, documented in docs/errors.md.
        param: The request field that is wrong, if one is.
        retry_after_s: When trying again may help; becomes `retry-after`.
    """

    status = 500
    type = "server_error"
    code = "gateway_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        if code is not None:
            self.code = code


class BadRequestError(GatewayError):
    """The client's doing."""

    status = 400
    type = "invalid_request_error"
    code = "bad_request"


class TooLargeError(BadRequestError):
    """The body is over the limit."""

    status = 413
    code = "request_too_large"


class UnsupportedMediaError(BadRequestError):
    """A content encoding or type that is not read here."""

    status = 415
    code = "unsupported_media_type"


class HeadersTooLargeError(BadRequestError):
    """The header block is over the limit."""

    status = 431
    code = "headers_too_large"


class ContentBlockedError(GatewayError):
    """
    A guard kept the answer from the client: nobody's failure, but a matter of safety.

    A 400, as Azure's own filter answers: no SDK tries it again, and frameworks that know content
    filters know them so.
    """

    status = 400
    type = "invalid_request_error"
    code = "content_blocked"


class ForbiddenError(GatewayError):
    """A client may not do this here."""

    status = 403
    type = "invalid_request_error"
    code = "forbidden"


class NoRouteError(GatewayError):
    """No route takes this model, or no such path."""

    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class MethodError(GatewayError):
    """The path exists, the method does not."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class RequestTimeoutError(GatewayError):
    """The client stopped sending before its request was whole."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class QuotaError(GatewayError):
    """A client's or a route's limit is used up."""

    status = 429
    type = "rate_limit_error"
    code = "quota_exceeded"


class NotYetError(GatewayError):
    """Understood, but not built yet."""

    status = 501
    type = "invalid_request_error"
    code = "not_yet"


class OverloadedError(GatewayError):
    """The gateway itself is full, draining or not ready."""

    status = 503
    code = "overloaded"


class UpstreamError(GatewayError):
    """The provider's doing; counts against the arm that was assigned."""

    status = 502
    type = "upstream_error"
    code = "upstream_error"


class UpstreamConnectError(UpstreamError):
    """Nothing was sent: the name, the address, the port or TLS failed."""

    code = "upstream_connect_failed"


class UpstreamTimeoutError(UpstreamError):
    """
    The provider was too slow.

    Attributes:
        phase: `connect`, `first_byte` or `idle`.
    """

    status = 504
    code = "upstream_timeout"

    def __init__(self, message: str, *, phase: str) -> None:
        super().__init__(message, code=f"upstream_{phase}_timeout")
        self.phase = phase


class UpstreamBrokenError(UpstreamError):
    """The answer ended early, or was not HTTP."""

    code = "upstream_broken"
