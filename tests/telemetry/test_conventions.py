"""Our values in OpenTelemetry's words."""

import pytest

from gateway.domain.release import Reason
from gateway.domain.variant import Api
from gateway.telemetry.conventions import FLAG_REASONS, OPERATIONS, provider_name_of


def test_every_value_has_a_word() -> None:
    """No kind of call and no reason is without its word."""
    assert set(OPERATIONS) == set(Api)
    assert set(FLAG_REASONS) == set(Reason)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("api.openai.com", "openai"),
        ("EU.api.openai.com.", "openai"),
        ("ours.openai.azure.com", "azure.ai.openai"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock"),
        ("us-central1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("api.openai.com.evil.example", "mine"),
        ("localhost", "mine"),
        ("", "mine"),
    ],
)
def test_known_hosts_have_names(host: str, expected: str) -> None:
    """A well-known host gives the convention's word, any other the file's own."""
    assert provider_name_of(host, "mine") == expected
