"""OpenTelemetry's words for our values: the kind of call, and whose model answered."""

from __future__ import annotations

from gateway.domain.release import Reason
from gateway.domain.variant import Api

OPERATIONS = {
    Api.CHAT: "chat",
    Api.RESPONSES: "chat",
    Api.COMPLETIONS: "text_completion",
    Api.EMBEDDINGS: "embeddings",
}
"""`gen_ai.operation.name` of each kind of call."""

FLAG_REASONS = {
    Reason.BUCKET: "split",
    Reason.ONLY_ARM: "static",
    Reason.NO_USER: "default",
    Reason.NOT_IN_AUDIENCE: "default",
    Reason.INTERNAL: "targeting_match",
    Reason.OVERRIDE: "targeting_match",
    Reason.BREAKER_OPEN: "disabled",
    Reason.REST: "split",
}
"""`feature_flag.result.reason` of each of our reasons."""

_WELL_KNOWN = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "models.ai.azure.com": "azure.ai.inference",
    "api.anthropic.com": "anthropic",
    "amazonaws.com": "aws.bedrock",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.mistral.ai": "mistral_ai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x_ai",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.perplexity.ai": "perplexity",
    "ml.cloud.ibm.com": "ibm.watsonx.ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
}


def provider_name_of(host: str, name: str) -> str:
    """
    Give `gen_ai.provider.name`: the convention's word for a host, else what the file calls the provider.

    >>> provider_name_of("eu.api.openai.com", "ours"), provider_name_of("10.0.0.7", "vllm")
    ('openai', 'vllm')
    """
    labels = host.lower().rstrip(".").split(".")
    for start in range(len(labels)):
        known = _WELL_KNOWN.get(".".join(labels[start:]))
        if known is not None:
            return known
    # Vertex AI's regional hosts put the region before a dash: us-central1-aiplatform.googleapis.com.
    return "gcp.vertex_ai" if host.endswith("-aiplatform.googleapis.com") else name
