"""Whatever is wrong with settings is said in one line: where it stands, which key it is, and what is meant."""

from pathlib import Path

import pytest
import typer

from responder.cli.check import check
from responder.errors import ConfigError
from responder.settings import Settings, load

FILE = {
    "a port that is a word": ("listen: localhost:http", "listen", "is not HOST:PORT"),
    "a port without a host sign": ("listen: 9095", "listen", "is not HOST:PORT"),
    "a port that is too large": ("listen: 127.0.0.1:99999", "listen", "is not HOST:PORT"),
    "an open door": ("listen: 0.0.0.0:9095", "listen", "set auth.tokens"),
    "an address without a scheme": ("external_url: ops.example", "external_url", "write http:// or https://"),
    "an address without a host": ("external_url: 'https://'", "external_url", "then the host"),
    "an address with a blank": ("external_url: https://ops .example", "external_url", "no address of the web"),
    "Prometheus without a scheme": ("prometheus: {url: 'prometheus:9090'}", "prometheus.url", "http:// or https://"),
    "Loki with another scheme": ("loki: {url: 'loki://loki'}", "loki.url", "http:// or https://"),
    "links to Grafana": ("loki: {external_url: grafana}", "loki.external_url", "http:// or https://"),
    "a port of Prometheus": ("prometheus: {url: 'http://p:port'}", "prometheus.url", "no address of the web"),
    "another database": ("database: postgresql://me@db/responder", "database", "write sqlite:///FILE"),
    "a database without a scheme": ("database: responder.db", "database", "write sqlite:///FILE"),
    "a database without a file": ("database: 'sqlite:///'", "database", "write sqlite:///FILE"),
    "too few slashes": ("database: sqlite:/var/lib/r.db", "database", "write sqlite:///FILE"),
    "an unknown key": ("lisen: 127.0.0.1:1", "lisen", "did you mean 'listen'?"),
    "a typo in a section": ("prometheus: {ulr: 'http://p'}", "prometheus.ulr", "did you mean 'url'?"),
    "a typo in a list": ("routes: [{sinks: [a], severty: [P1]}]", "routes[0].severty", "did you mean 'severity'?"),
    "a typo two deep": (
        "routes:\n  - sinks: [a]\n    hours:\n      - {form: '9:00'}",
        "routes[0].hours[0].form",
        "did you mean 'from'?",
    ),
    "a typo of a cluster": (
        "clusters: [{name: a, kubernetes: {kubeconfg: x}}]",
        "clusters[0].kubernetes.kubeconfg",
        "did you mean 'kubeconfig'?",
    ),
    "one folder of rules": ("rules: /etc/runbooks", "rules", "must be a list"),
    "a list that is a mapping": ("sinks: {name: a, kind: log}", "sinks", "must be a list"),
    "a section that is a list": ("prometheus: [http://p]", "prometheus", "must be a mapping"),
    "a section that is a text": ("auth: token", "auth", "must be a mapping"),
    "a doubled key": ("listen: 127.0.0.1:1\nlisten: 127.0.0.1:2", "listen", "is there twice"),
    "a doubled key in a section": ("prometheus: {url: 'http://p', url: 'http://q'}", "url", "is there twice"),
    "no number": ("workers: many", "workers", "must be a whole number"),
    "half a worker": ("workers: 1.5", "workers", "must be a whole number"),
    "no worker": ("workers: 0", "workers", "greater than or equal to 1"),
    "no duration": ("drain: soon", "drain", "is not a duration: write it as 30s"),
    "a duration without a unit": ("drain: 20", "drain", "is not a duration: write it as 30s"),
    "neither yes nor no": ("actions: {stop: maybe}", "actions.stop", "must be true or false"),
    "no time of day": ("routes: [{sinks: [console], hours: [{from: 25:00}]}]", "routes[0].hours[0].from", "22:00"),
    "no day": ("routes: [{sinks: [console], hours: [{days: [monday]}]}]", "routes[0].hours[0].days[0]", "'mon'"),
    "no time zone": (
        "routes: [{sinks: [console], hours: [{zone: Berlin}]}]",
        "routes[0].hours[0].zone",
        "Europe/Berlin",
    ),
    "no severity": ("incidents: {severities: {sev1: P9}}", "incidents.severities.sev1", "'P0'"),
    "a level of actions": ("actions: {allow: yes}", "actions.allow", "'approve' or 'auto'"),
    "a stranger approves": ("actions: {approvers: [ada]}", "actions.approvers", "no user of auth.basic"),
    "an unknown action": ("actions: {kinds: [kubernetes.reboot]}", "actions.kinds", "unknown action"),
    "a variable of a shell": ("prometheus: {token: '${TOKEN}'}", "prometheus.token", "RESPONDER_PROMETHEUS__TOKEN"),
    "a variable in an address": ("prometheus: {url: 'http://${HOST}:9090'}", "prometheus.url", "is not filled in"),
    "a variable in a list": ("auth: {tokens: [$TOKEN]}", "auth.tokens[0]", "with _file"),
    "an unknown log level": ("log_level: verbose", "log_level", "there is debug, info, warning"),
    "an unknown log format": ("log_format: jsn", "log_format", "did you mean 'json'?"),
    "a sink without a kind": ("sinks: [{name: a}]", "sinks[0]", "unknown sink"),
    "an unknown sink": ("sinks: [{name: a, kind: slak}]", "sinks[0]", "did you mean 'slack'?"),
    "an unknown option of a sink": ("sinks: [{name: a, kind: log, colour: red}]", "sinks[0]", "'colour'"),
    "two sinks of one name": ("sinks: [{name: a, kind: log}, {name: a, kind: log}]", "sinks[1]", "is taken"),
    "a contact that is no sink": (
        "escalation: {contacts: {level_1: [pager]}}",
        "escalation.contacts.level_1",
        "no sink",
    ),
    "a level that the policy lacks": ("escalation: {contacts: {level_9: [console]}}", "escalation.contacts", "level_9"),
    "an unknown policy": ("escalation: {policy: defalt}", "escalation.policy", "did you mean 'default'?"),
    "a route to nowhere": ("routes: [{sinks: [pager]}]", "routes[0]", "pager"),
    "a route without sinks": ("routes: [{severity: [P1]}]", "routes[0].sinks", "is missing"),
    "a matcher that is none": ("routes: [{sinks: [console], match: ['team']}]", "routes[0]", "team"),
    "an unknown variable": ("variables: {promtheus: 'http://p'}", "variables", "promtheus"),
    "a database without an address": ("postgres: [{name: a}]", "postgres[0]", "set url or host"),
    "a Redis of another kind": ("redis: [{name: a, url: 'http://r'}]", "redis[0].url", "redis://"),
    "a shell for everybody": ("kubernetes: {exec: {shop: [[sh, -c, '*']]}}", "kubernetes.exec", "would run anything"),
    "a label of no cluster": ("clusters: [{name: a, labels: {env: x}}]", "clusters", "cluster_label"),
    "a folder that is not there": ("rules: [/nowhere/runbooks]", "rules", "/nowhere/runbooks"),
    "no mapping": ("- listen", "", "must be one mapping"),
    "no YAML": ("listen: [", "", "is no YAML"),
    "a tabulator": ("auth:\n\ttokens: []", "", "is no YAML"),
}
VARIABLES = {
    "an unknown variable": ({"RESPONDER_LISEN": "127.0.0.1:1"}, "RESPONDER_LISEN", "did you mean 'RESPONDER_LISTEN'?"),
    "an unknown key of a section": ({"RESPONDER_PROMETHEUS__ULR": "http://p"}, "RESPONDER_PROMETHEUS__ULR", "'url'"),
    "a list that is no JSON": ({"RESPONDER_RULES": "/etc/runbooks"}, "RESPONDER_RULES", 'write a list as ["a", "b"]'),
    "a wrong value": ({"RESPONDER_WORKERS": "many"}, "RESPONDER_WORKERS", "must be a whole number"),
    "an address without a scheme": ({"RESPONDER_PROMETHEUS__URL": "p:9090"}, "RESPONDER_PROMETHEUS__URL", "http://"),
    "a variable in a variable": ({"RESPONDER_EXTERNAL_URL": "https://${HOST}"}, "RESPONDER_EXTERNAL_URL", "not filled"),
}


def complaints(config: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is said of a file of settings: as it is read, else by `responder check`, which knows the rules too."""
    try:
        load(config)
    except ConfigError as error:
        return str(error).splitlines()
    with pytest.raises(typer.Exit):
        check(None, config, "")
    return [line for line in capsys.readouterr().err.splitlines() if not line.startswith("warning: ")]


@pytest.mark.parametrize(("text", "key", "meant"), FILE.values(), ids=FILE)
def test_a_mistake_in_the_file_is_one_line_with_its_key_and_what_is_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, key: str, meant: str
) -> None:
    config = tmp_path / "responder.yaml"
    config.write_text(text + "\n")
    (line,) = complaints(config, capsys)
    assert key in line
    assert meant in line


@pytest.mark.parametrize(("variables", "key", "meant"), VARIABLES.values(), ids=VARIABLES)
def test_a_mistake_in_a_variable_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], key: str, meant: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        load(None)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{key}: ")
    assert meant in line


def test_the_line_of_the_file_is_named(tmp_path: Path) -> None:
    config = tmp_path / "responder.yaml"
    config.write_text("listen: 127.0.0.1:1\nprometheus:\n  timeout: 10s\n  url: p:9090\n")
    with pytest.raises(ConfigError, match=r"responder\.yaml:4: prometheus\.url: "):
        load(config)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    config = tmp_path / "responder.yaml"
    config.write_text("workers: many\nexternal_url: ops\nlog_level: loud\n")
    with pytest.raises(ConfigError) as refused:
        load(config)
    assert len(str(refused.value).splitlines()) == 3


def test_what_kubernetes_sets_beside_a_service_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_9095_TCP", "PORT_9095_TCP_ADDR"):
        monkeypatch.setenv(f"RESPONDER_{name}", "tcp://10.0.0.1:9095")
    assert load(None).listen == "127.0.0.1:9095"


def test_a_password_is_not_shown_in_a_complaint(tmp_path: Path) -> None:
    config = tmp_path / "responder.yaml"
    config.write_text("database: postgresql://me:hunter2@db/responder\nprometheus: {url: 'ftp://me:hunter2@p'}\n")
    with pytest.raises(ConfigError) as refused:
        load(config)
    assert "hunter2" not in str(refused.value)


def read(tmp_path: Path, text: str) -> Settings:
    config = tmp_path / "responder.yaml"
    config.write_text(text)
    return load(config)


def test_values_mean_what_people_mean_by_them(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        cluster_label: no
        workers: 8
        external_url:
        auth: {protect_pages: off, basic: [{username: on, password: 0123}]}
        prometheus: {url: http://p, headers: {X-Scope-OrgID: 1}}
        kubernetes: {in_cluster: no}
        clusters: [{name: 010, labels: {no: 1.10}}]
        routes: [{sinks: [console], hours: [{from: 22:00, to: 06:00}], continue: yes}]
        """,
    )
    assert found.cluster_label == "no"
    assert found.workers == 8
    assert not found.auth.protect_pages
    assert found.auth.basic[0].username == "on"
    assert found.auth.basic[0].password is not None
    assert found.auth.basic[0].password.get_secret_value() == "0123"
    assert found.prometheus.headers["X-Scope-OrgID"].get_secret_value() == "1"
    assert found.kubernetes.in_cluster is False
    assert (found.clusters[0].name, found.clusters[0].labels) == ("010", {"no": "1.10"})
    (route,) = found.routes
    assert (route.hours[0].since.hour, route.hours[0].until.hour, route.goes_on) == (22, 6, True)


def test_own_severities_stand_beside_the_usual_ones(tmp_path: Path) -> None:
    found = read(tmp_path, "incidents: {severities: {SEV1: P0, warning: P3}}").incidents.severities
    assert (found["sev1"], found["warning"], found["critical"]) == ("P0", "P3", "P1")
