"""The gateway's configuration while it is measured: everything on that a route in use has."""

from __future__ import annotations

from bench.shape import ROUTE, Address

REPLACED_PROMPT = "You are a patient assistant of a furniture shop. Answer in two sentences."
CONCISE_PROMPT = "Answer in one sentence."


def render_document(provider: Address, *, n_more_routes: int = 0, edit: int = 0) -> str:
    """
    Give the YAML.

    Args:
        provider: Where requests go.
        n_more_routes: Routes beside the one that is asked; they only make the file longer.
        edit: Another number, another configuration.
    """
    routes = [_render_route(ROUTE), *(_render_route(f"feature-{number}") for number in range(n_more_routes))]
    return f"""\
version: 1
providers:
  bench:
    base_url: http://{provider.host}:{provider.port}/v1
    keepalive: 60s
    max_connections: 20000
default_provider: bench
identity:
  user: [header:x-user-id]
  internal_users: [colleague-{edit}]
routes:
{"".join(routes)}"""


def render_large_document(provider: Address, *, max_bytes: int, edit: int = 0) -> str:
    """Give the YAML with as many routes as fit into `max_bytes`."""
    empty = len(render_document(provider, edit=edit))
    n_more_routes = (max_bytes - empty) // len(_render_route("feature-999"))
    return render_document(provider, n_more_routes=n_more_routes, edit=edit)


def _render_route(name: str) -> str:
    return f"""\
  {name}:
    variants:
      current:
        model: bench-model
        system_prompt:
          replace: {REPLACED_PROMPT}
        params: {{set: {{temperature: 0.3}}}}
      concise:
        model: bench-model-2
        system_prompt:
          replace: {CONCISE_PROMPT}
        params: {{set: {{max_tokens: 300}}}}
    release:
      split:
        arms: {{current: 50%, concise: 50%}}
"""
