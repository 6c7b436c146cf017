"""Every refusal has a status, a type and a code that SDKs know what to do with."""

import pytest

from gateway import errors
from gateway.errors import ConfigError, Finding, GatewayError, UpstreamError, UpstreamTimeoutError

RAISED = {
    "BadRequestError": (400, "invalid_request_error", "bad_request"),
    "TooLargeError": (413, "invalid_request_error", "request_too_large"),
    "UnsupportedMediaError": (415, "invalid_request_error", "unsupported_media_type"),
    "HeadersTooLargeError": (431, "invalid_request_error", "headers_too_large"),
    "ContentBlockedError": (400, "invalid_request_error", "content_blocked"),
    "ForbiddenError": (403, "invalid_request_error", "forbidden"),
    "NoRouteError": (404, "invalid_request_error", "model_not_found"),
    "MethodError": (405, "invalid_request_error", "method_not_allowed"),
    "RequestTimeoutError": (408, "invalid_request_error", "request_timeout"),
    "QuotaError": (429, "rate_limit_error", "quota_exceeded"),
    "NotYetError": (501, "invalid_request_error", "not_yet"),
    "OverloadedError": (503, "server_error", "overloaded"),
    "UpstreamError": (502, "upstream_error", "upstream_error"),
    "UpstreamConnectError": (502, "upstream_error", "upstream_connect_failed"),
    "UpstreamTimeoutError": (504, "upstream_error", "upstream_timeout"),
    "UpstreamBrokenError": (502, "upstream_error", "upstream_broken"),
}


def gateway_errors() -> dict[str, type[GatewayError]]:
    """Give every error a request can end in."""
    kinds = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    return {name: kind for name, kind in kinds.items() if issubclass(kind, GatewayError) and kind is not GatewayError}


def test_facts_are_pinned() -> None:
    """Clients branch on these: each error keeps its status, type and code."""
    assert {name: (kind.status, kind.type, kind.code) for name, kind in gateway_errors().items()} == RAISED


def test_tree_is_on_page_one() -> None:
    """The module's docstring names every error."""
    listed = errors.__doc__ or ""
    assert [name for name in gateway_errors() if name not in listed] == []


@pytest.mark.parametrize(("name", "kind"), gateway_errors().items())
def test_upstream_is_to_blame(name: str, kind: type[GatewayError]) -> None:
    """Upstream errors, and only those, stand below UpstreamError."""
    assert issubclass(kind, UpstreamError) == name.startswith("Upstream")


def test_code_can_be_told() -> None:
    """One error's code does not become the class's."""
    told = GatewayError("no", code="bad_json", param="messages", retry_after_s=3)
    assert (told.code, told.param, told.retry_after_s, str(told)) == ("bad_json", "messages", 3, "no")
    assert GatewayError("no").code == "gateway_error"


@pytest.mark.parametrize("phase", ["connect", "first_byte", "idle"])
def test_timeout_names_its_phase(phase: str) -> None:
    """A timeout says in its code what was waited for."""
    error = UpstreamTimeoutError("slow", phase=phase)
    assert (error.phase, error.code, error.status) == (phase, f"upstream_{phase}_timeout", 504)


def test_finding_spelling() -> None:
    """A finding reads `file:line:col key.path: problem; remedy`, and leaves out what is empty."""
    whole = Finding("f.yaml", 4, 2, "routes.a", "weights add up to 90%", "make them 100%")
    assert str(whole) == "f.yaml:4:2 routes.a: weights add up to 90%; make them 100%"
    assert str(Finding("f.yaml", 1, 1, "", "is empty")) == "f.yaml:1:1: is empty"


def test_config_error_keeps_all() -> None:
    """A wrong file is told whole, a line per finding, in order."""
    findings = [Finding("f", 1, 1, "a", "x"), Finding("f", 2, 1, "b", "y")]
    error = ConfigError(findings)
    assert error.findings == findings
    assert str(error) == "f:1:1 a: x\nf:2:1 b: y"
