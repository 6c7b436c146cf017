"""
An app that asks, and later tells what its user thought of the answer.

    export OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=unused
    python examples/feedback.py ana "Where is my order?" up

The gateway's file says what feedback may say: `metrics: {thumbs: {kind: binary}}`. The request id is kept with the
answer, wherever the app keeps it; it alone says which variant the thumb is for, today or in three weeks.
"""

import sys

from openai import OpenAI

user, question, thumb = (*sys.argv[1:], *("ana", "Where is my order?", "up")[len(sys.argv) - 1 :])[:3]

# Base URL and key come from the environment, as in any other app.
client = OpenAI()
raw = client.chat.completions.with_raw_response.create(
    model="support",
    messages=[{"role": "user", "content": question}],
    extra_headers={"x-user-id": user},
)
request_id = raw.headers["x-sluice-request-id"]
print(f"[{raw.headers.get('x-sluice-variant')}] {raw.parse().choices[0].message.content}")  # noqa: T201

# Returns once it is durable. Tried again after a 503 or a lost connection by the client itself: it counts once.
answer = client.post(
    "/feedback",
    cast_to=object,
    body={"request_id": request_id, "metric": "thumbs", "value": thumb == "up", "comment": "from the example"},
)
print(f"thumbs: {answer['data'][0]['status']}")  # noqa: T201
