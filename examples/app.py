"""
An app that knows nothing of prompts: it names a route and says who asks.

    OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=unused python examples/app.py ana "Where is my order?"

Which prompt, model and parameters answer is the gateway's configuration, and changes without this file.
"""

import sys

from openai import OpenAI

user, question = (*sys.argv[1:], "ana", "Where is my order?")[:2]

# Base URL and key come from the environment, as in any other app.
raw = OpenAI().chat.completions.with_raw_response.create(
    model="support",
    messages=[{"role": "user", "content": question}],
    extra_headers={"x-user-id": user},
)
print(f"[{raw.headers.get('x-sluice-variant')}] {raw.parse().choices[0].message.content}")  # noqa: T201
