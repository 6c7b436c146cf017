"""Files that must be refused, each with where and how: `line:col key.path: problem`, or a part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled, compile_text

_ENVIRON = {"KEY": "hunter2hunter2", "EMPTY": " ", "BROKEN": "hunter2\nb"}

_DOCUMENT = """\
version: 1
providers:
  p: {provider}
routes:
  r:
    variants:
      a: {variant}
      b: {{like: a}}
    release: {release}
{route}
"""

PROVIDER = "{base_url: 'http://127.0.0.1:9/v1'}"
VARIANT = "{model: m}"
RELEASE = "{split: {arms: {a: 50%, b: 50%}}}"


def document(
    *, provider: str = PROVIDER, variant: str = VARIANT, release: str = RELEASE, route: str = "", top: str = ""
) -> str:
    """Give a file that is right but for what is given."""
    text = _DOCUMENT.format(provider=provider, variant=variant, release=release, route=f"    {route}" if route else "")
    return text + top


def _provider(text: str) -> str:
    return document(provider="{base_url: 'http://127.0.0.1:9/v1', " + text + "}")


def _url(url: str) -> str:
    return document(provider="{base_url: '" + url + "'}")


def _split(text: str) -> str:
    return document(release="{split: {" + text + "}}")


def _rollout(text: str) -> str:
    return document(release="{rollout: {baseline: a, candidate: b, " + text + "}}")


NOT_YAML: list[tuple[str, str]] = [
    ("", "1:1: the file is empty; write version"),
    ("- a", "1:1: a list is not a mapping"),
    ("text", "1:1: 'text' is not a mapping"),
    ("a: [", "2:1: not YAML: did not find expected node content"),
    ("a: {b: 1", "not YAML"),
    ("a:\n\t- b", "2:1: not YAML: found character that cannot start any token"),
    ("a: b: c", "1:5: not YAML: mapping values are not allowed"),
    ("a: 'x", "not YAML: found unexpected end of stream"),
    ("a: @x", "1:4: not YAML"),
    ("a: 1\na: 2", "2:1 a: the key 'a' is here twice, first on line 1"),
    ("a: {b: {c: 1, c: 2}}", "1:15 a.b.c: the key 'c' is here twice"),
    ("--- {}\n--- {}", "2:1: a second document begins here"),
    ("a: *x", "1:4 a: the alias *x has no finished anchor"),
    ("a: &x [*x]", "1:8 a[0]: the alias *x has no finished anchor"),
    ("<<: {a: 1}", "1:1 <<: merge keys (<<) are not read"),
    ("? [a]\n: b", "1:3: a key must be plain text"),
    ("a: !!str 3", "1:4 a: tags such as"),
    ("a: !!python/object:os.system {}", "1:4 a: tags such as"),
    ("!x a: 1", "tags such as"),
    ("a: 010", "1:4 a: 010 is octal to some"),
    ("a: 1e999", "1:4 a: a number too large"),
    ("a: " + "9" * 5000, "1:4 a: a number too large"),
    ("a: .inf", "1:4 a: .inf has no place in JSON"),
    ("a: .NaN", "1:4 a: .NaN has no place in JSON"),
    ("a: \x07", "1:4: a control character"),
    ("[" * 5000, "nested deeper than 64"),
    ("{a: " * 5000, "nested deeper than 64"),
    ("a: &a [x]\nb: [" + "*a," * 101 + "]", "more than 100 aliases"),
    ("a: [" + "x," * 100_001 + "]", "more than 100,000 values"),
    ("#" * (1024 * 1024 + 1), "over 1 MiB"),
]

SHAPE: list[tuple[str, str]] = [
    ("version: 1", "1:1: `providers` is missing"),
    ("version: 2\nproviders: {}\nroutes: {}", "1:10 version: 2 is not 1"),
    ("version: 2\nproviders: {}\nroutes: {}", "2:12 providers: it is empty"),
    ("version: '1'\nproviders: {}\nroutes: {}", "1:10 version: '1' is not 1"),
    (document(top="routs: {}\n"), "11:1 routs: unknown key 'routs'; did you mean 'routes'?"),
    (document(provider="[]"), "3:6 providers.p: a list is not a mapping"),
    (document(provider="{}"), "3:3 providers.p: `base_url` is missing"),
    (_provider("api_key: sk-123456789"), "3:42 providers.p.api_key: unknown key 'api_key'; secrets are references"),
    (_provider("timeouts: {conect: 2s}"), "3:53 providers.p.timeouts.conect: unknown key 'conect'; did you mean 'con"),
    (_provider("timeouts: {connect: 2}"), "3:62 providers.p.timeouts.connect: 2 is not a duration; write it with it"),
    (_provider("timeouts: {connect: 2 parsecs}"), "'2 parsecs' is not a duration"),
    (_provider("timeouts: {idle: -1s}"), "'-1s' is not a duration"),
    (_provider("retries: {max: 9}"), "3:57 providers.p.retries.max: 9 must be at most 5"),
    (_provider("retries: {max: '1'}"), "'1' is not a whole number"),
    (_provider("retries: {on: [404]}"), "3:57 providers.p.retries.on[0]: 404 is no reason to ask again"),
    (_provider("retries: {on: connect}"), "'connect' is not a list"),
    (_provider("auth: mine"), "3:48 providers.p.auth: 'mine' is not 'key', 'client' or 'none'"),
    (_provider("max_connections: 0"), "0 must be at least 1"),
    (_provider("headers: {x: 3}"), "providers.p.headers.x: not a header's value"),
    (_provider("headers: {x: {envy: A}}"), "unknown key 'envy'"),
    (_provider("inject_usage: maybe"), "'maybe' is not 'auto', 'on' or 'off'"),
    (document(variant="{modell: m}"), "7:11 routes.r.variants.a.modell: unknown key 'modell'; did you mean 'model'?"),
    (document(variant="{model: 4}"), "7:18 routes.r.variants.a.model: 4 is not text; quote it"),
    (document(variant="{system_prompt: hi}"), "7:26 routes.r.variants.a.system_prompt: 'hi' is not a mapping"),
    (document(variant="{system_prompt: {}}"), "7:26 routes.r.variants.a.system_prompt: a system prompt wants exactly"),
    (document(variant="{system_prompt: {replace: a, append: b}}"), "wants exactly one change"),
    (document(variant="{system_prompt: {replace: 3}}"), "system_prompt.replace: neither text nor a file"),
    (document(variant="{params: {sett: {}}}"), "7:20 routes.r.variants.a.params.sett: unknown key 'sett'; did you"),
    (document(variant="{params: {clamp: {n: {}}}}"), "a clamp without bounds"),
    (document(variant="{params: {clamp: {n: {min: 2, max: 1}}}}"), "min is above max"),
    (document(release="{}"), "9:14 routes.r.release: no kind of release; write exactly one of fixed, split"),
    (document(release="{fixed: {variant: a}, split: {arms: {a: 100%}}}"), "2 kinds of release: fixed, split"),
    (document(release="{unit: session, fixed: {variant: a}}"), "9:21 routes.r.release.unit: 'session' is not 'user'"),
    (_split("arms: {a: 50, b: 50}"), "9:33 routes.r.release.split.arms.a: 50 is not a share; write it in percent"),
    (_split("arms: {a: 50.001%, b: 49.999%}"), "'50.001%' is not a share; 0.01% is the finest there is"),
    (_split("arms: {a: 150%, b: -50%}"), "'150%' is not a share"),
    (_split("arms: {}"), "routes.r.release.split.arms: it is empty"),
    (_split("arms: {a: 50%, b: 50%}, min_duration: 7"), "7 is not a duration"),
    (_split("arms: {a: 50%, b: 50%}, stop_on_safety: 2%"), "'2%' is not a difference in percentage points"),
    (_split("arms: {'" + "x" * 65 + "': 100%}"), "a name of 65 bytes; at most 64 bytes"),
    (_split('arms: {"a\\x01": 100%}'), "no control characters"),
    (document(route="limits: {body: 32}"), "10:20 routes.r.limits.body: 32 is not a size"),
    (document(route="limits: {body: 32 megs}"), "'32 megs' is not a size"),
    (document(route="expose: {variant: yes}"), "10:23 routes.r.expose.variant: 'yes' is not true or false; write true"),
    (document(route="expose: {model: hidden}"), "'hidden' is not 'served' or 'route'"),
    (document(route="samples: {keep: 0.01}"), "0.01 is not a share"),
    (document(route="shadows: {variant: b}"), "routes.r.shadows: a mapping is not a list"),
    (document(route="guards: [{kind: pattern}]"), "a pattern guard without `pattern`"),
    (document(route="on_edit: ask"), "'ask' is not 'rollout', 'refuse' or 'allow'"),
    (document(top="identity: {user: [cookie:u]}\n"), "11:19 identity.user[0]: 'cookie:u' names no place"),
    (document(top="identity: {user: [first_user_message]}\n"), "says what was said, not who said it"),
    (document(top="identity: {conversation: ['body:a..b']}\n"), "'body:a..b' names no place"),
    (document(top="identity: {without_user: random}\n"), "'random' is not 'baseline', 'conversation' or 'api_key'"),
    (document(top="identity: {internal_users: [{}]}\n"), "a mapping is not text"),
    (document(top="metrics: {m: {kind: boolean}}\n"), "'boolean' is not 'binary'"),
    (document(top="clients: [{name: w, key_sha256: abc}]\n"), "clients[0].key_sha256"),
    (_rollout("stages: [{at: 10}]"), "10 is not a stage; write internal, shadow or a share"),
    (_rollout("gates: {eror: {}}"), "gates.eror"),
    (_rollout("signals: {error_rate: no}"), "signals.error_rate: 'no' is not 'off'"),
]

MEANING: list[tuple[str, str]] = [
    (
        document(variant="{provider: q, model: m}"),
        "7:21 routes.r.variants.a.provider: there is no provider 'q'; known: p",
    ),
    (document(top="default_provider: pp\n"), "11:19 default_provider: there is no provider 'pp'; did you mean 'p'?"),
    (document(variant="{like: c}"), "7:17 routes.r.variants.a.like: there is no variant 'c'; known: b"),
    (document(variant="{like: b}"), "`like` goes round in a circle: a → b → a"),
    (document(variant="{like: a}"), "`like` goes round in a circle: a → a"),
    (document(release="{fixed: {variant: aa}}"), "9:32 routes.r.release.fixed.variant: there is no variant 'aa'"),
    (_split("arms: {a: 50%, b: 40%}"), "9:29 routes.r.release.split.arms: weights add up to 90%; make them 100%"),
    (_split("arms: {a: 50%, c: 50%}"), "9:38 routes.r.release.split.arms.c: there is no variant 'c'"),
    (_split("arms: {a: 50%, b: 50%}, baseline: c"), "there is no arm 'c'"),
    (
        document(release="{audience: {plan: free}, fixed: {variant: a}}"),
        "9:26 routes.r.release.audience.plan: there is no",
    ),
    (
        document(
            release="{audience: {sick: ill}, fixed: {variant: a}}", top="identity: {segments: {sick: {match: x}}}\n"
        ),
        "the segment 'sick' is a pattern: true or false",
    ),
    (
        document(top="identity: {segments: {sick: {match: '(?=x)'}}}\n"),
        "11:37 identity.segments.sick.match: the pattern",
    ),
    (document(route="guards: [{kind: pattern, pattern: '('}]"), "the pattern does not read: missing ): ("),
    (document(route="fallback: [c]"), "10:16 routes.r.fallback[0]: there is no variant 'c'"),
    (document(route="shadows: [{variant: c}]"), "there is no variant 'c'"),
    (document(route="shadows: [{variant: b, judge: {route: j}}]"), "there is no route 'j'"),
    (document(route="flags: {f: {c: 1}}"), "10:17 routes.r.flags.f.c: there is no variant 'c'"),
    (document(route="price: {c: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}}"), "there is no variant 'c'"),
    (document(route="guards: [{kind: moderation, provider: q}]"), "there is no provider 'q'"),
    (document(route="guards: [{kind: json_schema, schema: {file: none.json}}]"), "cannot read 'none.json'"),
    (document(top="metrics: {m: {kind: score, source: {judge: j}}}\n"), "there is no route 'j'"),
    (document(top="metrics: {m: {kind: score, range: [1, 0]}}\n"), "the range does not rise"),
    (_split("arms: {a: 50%, b: 50%}, primary_metric: m"), "there is no metric 'm'; no metric is defined"),
    (_rollout("quality_metrics: [m]"), "there is no metric 'm'"),
    (_rollout("stages: [{at: 50%}, {at: 25%}]"), "stages[1].at: 25% after 50%; stages must rise"),
    (_rollout("stages: [{at: shadow}, {at: internal}]"), "internal after shadow; stages must rise"),
    (_rollout("stages: [{at: 5%, min_duration: 2d, max_duration: 1d}]"), "max_duration is shorter"),
    (document(release="{rollout: {baseline: a, candidate: a}}"), "baseline and candidate are the same variant"),
    (_url("ftp://h/v1"), "3:17 providers.p.base_url: the URL is neither http nor https"),
    (_url("api.openai.com/v1"), "the URL is neither http nor https"),
    (_url("https:///v1"), "the URL names no host"),
    (_url("https://u:hunter2@h/v1"), "the URL holds a user or a password"),
    (_url("https://h/v1?key=hunter2"), "the URL has a query or a fragment"),
    (_url("https://h:99999/v1"), "this is not a URL"),
    (_url("https://h:0/v1"), "the URL's port is 0"),
    (_url("https://h/v1/../admin"), "not in its shortest form"),
    (_url("https://h/v1/%2e%2e/admin"), "not in its shortest form"),
    (_url("https://h/v1/chat/completions"), "the URL ends in /chat/completions"),
    (_url("https://h /v1"), "characters that no URL has"),
    (_provider("auth: key"), "3:48 providers.p.auth: auth: key, but no key is given; add api_key_env"),
    (_provider("auth: none, api_key_env: KEY"), "auth: none, but a key is given too"),
    (_provider("auth: client, api_key_env: KEY"), "auth: client, but a key is given too"),
    (_provider("api_key_env: KEY, api_key_file: k"), "two places for one key"),
    (_provider("api_key_env: ABSENT"), "3:55 providers.p.api_key_env: the environment variable ABSENT is not set"),
    (_provider("api_key_env: EMPTY"), "the environment variable EMPTY is empty"),
    (_provider("api_key_env: BROKEN"), "the environment variable BROKEN holds characters that a header cannot carry"),
    (_provider("api_key_env: sk-hunter2"), "this is not the name of an environment variable"),
    (_provider("api_key_env: sk_hunter2"), "the environment variable named here is not set"),
    (_provider("api_key_file: none"), "cannot read 'none': no such file or directory"),
    (_provider("ca_file: none.pem"), "cannot read 'none.pem'"),
    (_provider("headers: {host: x}"), "3:52 providers.p.headers.host: the gateway itself writes `host`"),
    (_provider("headers: {'a b': x}"), "not the name of a header"),
    (_provider("headers: {A: x, a: y}"), "the header `a` is here twice"),
    (_provider('headers: {a: "x\\r\\ny: z"}'), "holds characters that a header cannot carry"),
    (_provider("headers: {a: {env: ABSENT}}"), "the environment variable ABSENT is not set"),
    (_provider("api_key_env: KEY, headers: {authorization: x}"), "`authorization` carries the key already"),
    (_provider("forward_headers: [cookie]"), "`cookie` is never forwarded"),
    (document(variant="{system_prompt: {replace: {file: none.md}}}"), "7:43 routes.r.variants.a.system_prompt.replace"),
    (document(variant="{system_prompt: {replace: {file: .}}}"), "cannot read '.': "),
    (document(variant="{system_prompt: {template: '{x'}}"), "the template does not read"),
    (document(variant="{system_prompt: {template: '{x}'}}"), "the template has an unknown field {x}"),
    (document(variant="{system_prompt: {template: '{segment.x}'}}"), "there is no segment 'x'"),
    (
        document(variant="{params: {set: {model: x}}}"),
        "7:26 routes.r.variants.a.params.set.model: `model` is not changed",
    ),
    (document(variant="{params: {set: {temperature: hot}}}"), "`temperature` wants a number"),
    (document(variant="{params: {rename: {a: model}}}"), "`a` cannot become `model`"),
    (document(variant="{extra_body: {stream: true}}"), "whether to stream is the client's choice"),
    (document(variant="{headers: {authorization: x}}"), "`authorization` cannot be set by a variant"),
    (document(variant="{tools: [{name: x}]}"), "tools are a list, each with a `type`"),
    (document(variant="{response_format: {schema: {}}}"), "a response format wants a `type`"),
    (
        _provider("auth: client").replace("    release", "    fallback: [b]\n    release"),
        "own key, which a fallback must not",
    ),
    (
        _provider("auth: client").replace("    release", "    shadows: [{variant: b}]\n    release"),
        "which a shadow must",
    ),
    (_provider("auth: client") + f"clients: [{{name: w, key_sha256: {'a' * 64}}}]\n", "cannot stand beside"),
    (
        document(variant="{model: text-embedding-3-small}").replace("{like: a}", "{model: text-embedding-3-large}"),
        "8:18 routes.r.variants.b.model: variants of an embeddings route differ in model",
    ),
    (document(top=f"clients: [{{name: w, key_sha256: {'a' * 64}}}]\n"), "11:1 clients: not yet: client keys"),
    (document(route="limits: {usd_per_day: 5}"), "10:14 routes.r.limits.usd_per_day: not yet"),
    (document(route="limits: {tokens_per_minute: 5}"), "not yet: tokens_per_minute would not limit anything"),
    (document(route="guards: [{kind: moderation, provider: p, action: block}]"), "not yet: nothing would be blocked"),
    (_rollout("stages: [{at: internal}, {at: 100%}]"), "internal_users"),
    (document(release="{bandit: {arms: [a, b, c], reward: m}}"), "release.bandit.arms[2]: there is no variant 'c'"),
    (document(release="{ladder: {champion: a, challengers: [b]}}"), "release.ladder: nothing says who wins"),
    (document(release="{factorial: {factors: {x: {y: {}}}, base: a}}"), "release.factorial.factors.x"),
]


def _compile(text: str, folder: Path) -> Compiled:
    return compile_text(
        text, name="f", folder=folder, environ=_ENVIRON, version=1, seal_key=bytes(32), previous=Allocations()
    )


@pytest.mark.parametrize(("text", "expected"), [*NOT_YAML, *SHAPE, *MEANING], ids=range(170))
def test_broken_file_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    """Each names its place and the way out, and repeats no secret."""
    with pytest.raises(ConfigError) as caught:
        _compile(text, tmp_path)
    assert expected in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_template_itself_is_fine(tmp_path: Path) -> None:
    """What the broken files are made from is accepted without a word."""
    assert _compile(document(), tmp_path).warnings == ()


def test_findings_come_together(tmp_path: Path) -> None:
    """An unknown key does not hide what else is wrong; findings come in file order."""
    text = document(provider="{base_url: 'ftp://h', colour: red}", release="{fixed: {variant: z}}")
    with pytest.raises(ConfigError) as caught:
        _compile(text, tmp_path)
    assert [finding.line for finding in caught.value.findings] == [3, 3, 9]
