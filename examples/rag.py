"""
A retrieval app whose settings belong to the variant that answers.

    export OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=unused
    pip install openfeature-provider-ofrep
    python examples/rag.py ana "Where is my order?"

The gateway's file says what each variant wants of the app:

    flags: {rag: {current: {top_k: 2, reranker: none}, concise: {top_k: 3, reranker: overlap}}}

The flag is asked for with the user's id, and the question is sent with the same id: one user, one arm.
"""

import os
import re
import sys

from openai import OpenAI
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

DOCUMENTS = [
    "Parcels are sent within two days of an order.",
    "An order can be followed with the number in its mail.",
    "Refunds take a week.",
    "The shop is closed on Sundays.",
]
WITHOUT_GATEWAY = {"top_k": 2, "reranker": "none"}

user, question = (*sys.argv[1:], *("ana", "Where is my order?")[len(sys.argv) - 1 :])[:2]


def words_of(text: str) -> set[str]:
    """Give a text's words."""
    return set(re.findall(r"[a-z]+", text.lower()))


# Flags are on the port that requests go to; its address is the client's own, without /v1.
api.set_provider(OFREPProvider(os.environ["OPENAI_BASE_URL"].removesuffix("/v1")))
flag = api.get_client().get_object_details("support.rag", WITHOUT_GATEWAY, EvaluationContext(user))
settings = dict(flag.value)
found = sorted(DOCUMENTS, key=len)
if settings["reranker"] == "overlap":
    found.sort(key=lambda text: -len(words_of(text) & words_of(question)))
found = found[: settings["top_k"]]

raw = OpenAI().chat.completions.with_raw_response.create(
    model="support",
    messages=[{"role": "user", "content": "\n".join([*found, question])}],
    extra_headers={"x-user-id": user},
)
print(f"flag says {flag.variant} ({flag.reason}): {len(found)} documents, reranker {settings['reranker']}")  # noqa: T201
print(f"[{raw.headers.get('x-sluice-variant')}] {raw.parse().choices[0].message.content}")  # noqa: T201
