"""What stands in deploy/: it parses, the tools it is for accept it, and it speaks of things that exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from gateway.settings.allocations import Allocations
from gateway.settings.compile import compile_text
from gateway.settings.process import ProcessSettings
from gateway.telemetry.instruments import INSTRUMENTS, Kind
from gateway.telemetry.prometheus import label_of, name_of
from tests.flows.rig.gateway import ROOT

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yaml"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
SETTINGS = {f"SLUICE_{name.upper()}" for name in ProcessSettings.model_fields} | {"SLUICE_LOG_FORMAT"}
SECONDS_TO_END = 5.0
"""What docs/operating.md asks supervisors to add to linger and drain."""


def name(path: Path) -> str:
    """Give a file's name below deploy/."""
    return str(path.relative_to(DEPLOY))


def documents(path: str) -> list[Any]:
    """Give a YAML file's documents."""
    return list(yaml.safe_load_all((DEPLOY / path).read_text(encoding="utf-8")))


@cache
def series() -> dict[str, set[str]]:
    """Give every series that Prometheus gets from us, with its labels."""
    known: dict[str, set[str]] = {"up": {"job", "instance"}}
    for instrument in INSTRUMENTS:
        labels = {label_of(attribute) for attribute in instrument.attributes} | {"job", "instance"}
        endings = ("_bucket", "_sum", "_count") if instrument.kind is Kind.HISTOGRAM else ("",)
        known |= {name_of(instrument) + ending: labels | {"le"} for ending in endings}
    return known


def rules() -> Iterator[dict[str, Any]]:
    """Give the alert rules."""
    for group in documents("prometheus/rules.yaml")[0]["groups"]:
        yield from group["rules"]


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Give every object inside a value."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from walk(each)


def expressions() -> list[str]:
    """Give every expression of rules and dashboards."""
    boards = [orjson.loads(path.read_bytes()) for path in DASHBOARDS]
    texts = [str(each["expr"]) for each in walk(boards) if "expr" in each]
    queries = [str(each["definition"]) for each in walk(boards) if "definition" in each]
    return [str(rule["expr"]) for rule in rules()] + texts + queries


def environment(container: dict[str, Any]) -> dict[str, str]:
    """Give a Kubernetes container's plain variables."""
    return {each["name"]: each["value"] for each in container["env"]}


def deployment() -> dict[str, Any]:
    """Give the Deployment's pod."""
    pod: dict[str, Any] = documents("kubernetes/deployment.yaml")[0]["spec"]["template"]["spec"]
    return pod


def tool(program: str, package: str) -> str:
    """Give a program's path; skips the test, saying what to install, where it is not there."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        pytest.skip(f"{program} is not here (Debian: apt-get install {package})")
    return found


def checked(*command: str) -> str:
    """Run a checker in deploy/ and give what it says; it must be content."""
    done = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.yaml")), ids=name)
def test_yaml_parses(path: Path) -> None:
    """Every YAML file is one, and says something."""
    assert all(documents(name(path)))


@pytest.mark.parametrize("expression", expressions())
def test_series_exist(expression: str) -> None:
    """Every series and label that a rule or a panel names is one the gateway gives."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    named = set(re.findall(r"\b(?:sluice|gen_ai|error)_\w+|\bup\b", bare))
    metrics = {each for each in named if each in series()}
    assert metrics
    labels = set().union(*(series()[metric] for metric in metrics))
    assert {each for each in named - metrics if each not in labels} == set()


def test_dashboards_are_provisioned() -> None:
    """The board has an id of its own for every panel, panels that do not overlap, and its folder is mounted."""
    board = orjson.loads(DASHBOARDS[0].read_bytes())
    ids = [panel["id"] for panel in board["panels"]]
    cells = [
        (x, y)
        for p in board["panels"]
        for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
        for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])
    ]
    folder = documents("grafana/provisioning/dashboards/sluice.yaml")[0]["providers"][0]["options"]["path"]
    assert len(set(ids)) == len(ids) and len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24
    assert any(folder in mount for mount in documents("compose.yaml")[0]["services"]["grafana"]["volumes"])


def test_alerts_say_what_to_do() -> None:
    """Every alert has a name of its own, a severity, and a sentence."""
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    assert {rule["labels"]["severity"] for rule in rules()} == {"page", "ticket"}
    assert all(rule["annotations"]["summary"] for rule in rules())


def test_promtool_accepts_rules() -> None:
    """Prometheus' own checker takes the rules."""
    assert f"{len(list(rules()))} rules found" in checked(tool("promtool", "prometheus"), "check", "rules", str(RULES))


def test_promtool_accepts_config() -> None:
    """Prometheus' own checker takes the configuration."""
    promtool = tool("promtool", "prometheus")
    assert "SUCCESS" in checked(promtool, "check", "config", "--syntax-only", "prometheus/prometheus.yaml")


def test_promtool_accepts_panels(tmp_path: Path) -> None:
    """Every panel's expression is PromQL; Grafana's variables are filled in as it would."""
    fill = {"$__rate_interval": "1m", "$__range": "3h", "$route": ".*", "$release": ".*"}
    texts = [text for text in expressions() if not text.startswith("label_values")]
    for variable, value in fill.items():
        texts = [text.replace(variable, value) for text in texts]
    recorded = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(texts)]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    assert f"{len(texts)} rules found" in checked(tool("promtool", "prometheus"), "check", "rules", str(file))


def test_rules_fire(tmp_path: Path) -> None:
    """Given the numbers of a failing route, the alert for it fires, and no other of the serving group."""
    asked = {"sluice_route": "support"}
    labels = '{sluice_route="support"'
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f"sluice_requests_total{labels}}}", "values": "0+600x30"},
                    {"series": f'sluice_errors_total{labels},sluice_fault="provider"}}', "values": "0+60x30"},
                    {"series": f'sluice_errors_total{labels},sluice_fault="client"}}', "values": "0+300x30"},
                ],
                "alert_rule_test": [
                    {"eval_time": "20m", "alertname": "SluiceErrorRatio", "exp_alerts": [_alert(asked)]},
                    {"eval_time": "20m", "alertname": "SluiceGatewayErrors", "exp_alerts": []},
                    {"eval_time": "20m", "alertname": "SluiceArmWorseThanOthers", "exp_alerts": []},
                ],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(test))
    checked(tool("promtool", "prometheus"), "test", "rules", str(file))


def _alert(labels: dict[str, str]) -> dict[str, Any]:
    rule = next(rule for rule in rules() if rule["alert"] == "SluiceErrorRatio")
    said = {"summary": "10% of requests of route support fail", "description": rule["annotations"]["description"]}
    return {"exp_labels": labels | {"severity": "page"}, "exp_annotations": said}


def test_prometheus_finds_the_gateway() -> None:
    """It scrapes the service and port that Compose runs, and reads the token that Compose mounts."""
    job = documents("prometheus/prometheus.yaml")[0]["scrape_configs"][0]
    services = documents("compose.yaml")[0]["services"]
    host, port = job["static_configs"][0]["targets"][0].split(":")
    assert any(mapping.endswith(f":{port}") for mapping in services[host]["ports"])
    token = job["authorization"]["credentials_file"]
    assert any(f":{token}:" in mount for mount in services["prometheus"]["volumes"])


def test_compose_stays_at_home() -> None:
    """Nothing listens beyond loopback, every image is pinned, and the drain fits into the grace period."""
    compose = documents("compose.yaml")[0]
    services = compose["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert all(re.search(r":(v?\d+\.\d+\.\d+|local)$", service["image"]) for service in services.values())
    settings = services["gateway"]["environment"]
    drain_s = float(settings["SLUICE_DRAIN_TIMEOUT_S"]) + ProcessSettings().linger_s
    assert float(services["gateway"]["stop_grace_period"].removesuffix("s")) > drain_s + SECONDS_TO_END
    assert {each for each in settings if each.startswith("SLUICE_")} <= SETTINGS


def test_compose_mounts_what_is_there() -> None:
    """Every file of ours that a service mounts is in deploy/, but for the token that people make."""
    services = documents("compose.yaml")[0]["services"].values()
    mounts = {mount.split(":")[0] for service in services for mount in service.get("volumes", [])}
    ours = {mount for mount in mounts if mount.startswith("./")}
    assert {each for each in ours if not (DEPLOY / each).exists()} <= {"./config/admin-token"} < ours


def test_collector_is_consistent() -> None:
    """Pipelines name receivers, processors and exporters that are configured; the gateway's endpoint is one of them."""
    collector = documents("otel-collector/collector.yaml")[0]
    for pipeline in collector["service"]["pipelines"].values():
        for kind, members in pipeline.items():
            assert set(members) <= set(collector[kind])
    port = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    endpoint = documents("compose.yaml")[0]["services"]["gateway"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert endpoint == f"http://otel-collector:{port}"


def test_kubernetes_files_are_listed() -> None:
    """Every manifest is applied, or is named as one to choose."""
    text = (DEPLOY / "kubernetes" / "kustomization.yaml").read_text(encoding="utf-8")
    files = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    assert {each for each in files if f"- {each}" not in text} == set()


def test_kubernetes_drain_fits() -> None:
    """The kubelet kills later than the gateway ends by itself."""
    pod = deployment()
    settings = environment(pod["containers"][0])
    needed_s = float(settings["SLUICE_LINGER_S"]) + float(settings["SLUICE_DRAIN_TIMEOUT_S"]) + SECONDS_TO_END
    assert pod["terminationGracePeriodSeconds"] > needed_s
    assert set(settings) <= SETTINGS and pod["enableServiceLinks"] is False


def test_kubernetes_probes_exist() -> None:
    """Probes ask the public port for paths that it answers; only readiness can take a pod out of traffic."""
    container = deployment()["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    asked = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {kind: probe["path"] for kind, probe in asked.items()} == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    assert {ports[probe["port"]] for probe in asked.values()} == {8080}


def test_kubernetes_config_reloads() -> None:
    """The ConfigMap is mounted as a folder, which is swapped on a change, and its file would be served."""
    container = deployment()["containers"][0]
    mount = next(each for each in container["volumeMounts"] if each["name"] == "config")
    assert "subPath" not in mount and environment(container)["SLUICE_CONFIG"] == f"{mount['mountPath']}/sluice.yaml"


def test_kubernetes_config_compiles(tmp_path: Path) -> None:
    """What the ConfigMap holds compiles without a warning."""
    files = documents("kubernetes/configmap.yaml")[0]["data"]
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    compiled = compile_text(
        files["sluice.yaml"],
        name="sluice.yaml",
        folder=tmp_path,
        environ={"OPENAI_API_KEY": "sk-test"},
        version=1,
        seal_key=bytes(32),
        previous=Allocations(),
    )
    assert compiled.routes and not compiled.warnings


def test_kubernetes_names_meet() -> None:
    """Selectors, ports, volumes and claims name each other."""
    pod, service = deployment(), documents("kubernetes/service.yaml")[0]["spec"]
    labels = documents("kubernetes/deployment.yaml")[0]["spec"]["template"]["metadata"]["labels"]
    container = pod["containers"][0]
    ports = {port["name"] for port in container["ports"]}
    monitor = documents("kubernetes/podmonitor.yaml")[0]["spec"]
    assert (
        service["selector"].items() <= labels.items() and monitor["selector"]["matchLabels"].items() <= labels.items()
    )
    assert {service["ports"][0]["targetPort"], monitor["podMetricsEndpoints"][0]["port"]} <= ports
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    claim = next(each for each in pod["volumes"] if "persistentVolumeClaim" in each)["persistentVolumeClaim"]
    assert claim["claimName"] == documents("kubernetes/state.yaml")[0]["metadata"]["name"]


def test_kubernetes_pod_may_little() -> None:
    """Not root, nothing to gain, a root file system that nobody writes to, no token of the cluster."""
    pod = deployment()
    container = pod["containers"][0]["securityContext"]
    assert (
        pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    )
    assert container["readOnlyRootFilesystem"] and not container["allowPrivilegeEscalation"]
    assert container["capabilities"] == {"drop": ["ALL"]} and pod["automountServiceAccountToken"] is False


def instructions() -> list[tuple[str, str]]:
    """Give the Dockerfile's instructions with their words, continued lines joined."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_image_is_small_and_harmless() -> None:
    """Two stages, hashes for all that is installed, nobody's shell, signals that arrive, a state that stays."""
    told = instructions()
    last = {word: rest for word, rest in told}
    assert [word for word, _ in told].count("FROM") == 2
    assert last["USER"] == "10001:10001" and last["STOPSIGNAL"] == "SIGTERM"
    assert (
        last["ENTRYPOINT"] == '["sluice"]' and "/var/lib/sluice" in last["VOLUME"] and "/livez" in last["HEALTHCHECK"]
    )
    installs = [rest for word, rest in told if word == "RUN" and "pip install" in rest]
    assert all("--require-hashes" in each or "--no-deps" in each for each in installs)
    assert not any(word == "ADD" or "latest" in rest for word, rest in told)


def test_image_copies_what_is_there() -> None:
    """Everything that is copied exists, and the ignore file lets exactly that through."""
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and not rest.startswith("--from")]
    paths = {path for each in copied for path in each}
    assert [path for path in paths if not (ROOT / path).exists()] == []
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert ignored[0] == "*" and {each[1:] for each in ignored if each.startswith("!")} == paths


def test_unit_is_accepted(tmp_path: Path) -> None:
    """systemd's own checker takes the unit; its program and user are made up for the occasion."""
    analyze = tool("systemd-analyze", "systemd")
    text = (DEPLOY / "systemd" / "sluice.service").read_text(encoding="utf-8")
    unit = tmp_path / "sluice.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    assert "sluice.service:" not in checked(analyze, "verify", "--man=no", str(unit))


def test_unit_drains() -> None:
    """The unit waits longer than the gateway takes to end, and a worker out of memory does not stop it all."""
    text = (DEPLOY / "systemd" / "sluice.service").read_text(encoding="utf-8")
    unit = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    settings = ProcessSettings()
    assert float(unit["TimeoutStopSec"]) > settings.linger_s + settings.drain_timeout_s + SECONDS_TO_END
    assert (unit["OOMPolicy"], unit["KillMode"], unit["Restart"]) == ("continue", "mixed", "always")
