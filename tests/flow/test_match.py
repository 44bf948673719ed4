"""Alerts become the right incidents: one for each broken thing, whatever the spelling of its labels."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responder import detectors, plugins, probes
from responder.flow.match import assign
from responder.flow.target import aims
from responder.model.alert import Alert, AlertStatus
from responder.model.clusters import ClusterLabels
from responder.model.incident import AlertState, TrackedAlert
from responder.model.labels import fingerprint, subject_of, target_of
from responder.model.runbook import Metadata, Runbook
from responder.model.subject import Target
from responder.probes import Probe
from responder.runbooks.loading import load, shipped
from tests.makers import NOW

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

KSM = {
    "job": "kube-state-metrics",
    "service": "ksm-kube-state-metrics",
    "namespace": "monitoring",
    "pod": "ksm-kube-state-metrics-6f8b9c7d5f-2xk4p",
    "container": "kube-state-metrics",
}
SPELLINGS = (
    {"namespace": "exported_namespace", "pod": "exported_pod", "container": "exported_container"},
    {"namespace": "k8s_namespace_name", "pod": "k8s_pod_name", "container": "k8s_container_name"},
    {"namespace": "k8s.namespace.name", "pod": "k8s.pod.name", "container": "k8s.container.name"},
    {"namespace": "kubernetes_namespace", "pod": "kubernetes_pod_name", "container": "kubernetes_container_name"},
    {"namespace": "kube_namespace", "pod": "kube_pod_name", "container": "kube_container_name"},
)
PLAIN = ({}, {"namespace": "namespace_name", "pod": "pod_name", "container": "container_name"})
KINDS = ("deployment", "statefulset", "daemonset", "cronjob", "job_name")
ALERTS = ("KubePodCrashLooping", "KubeDeploymentReplicasMismatch", "KubeJobFailed", "SomethingElse")
names = st.sampled_from(["api", "web", "db", "search", "billing"])
meanings = st.fixed_dictionaries(
    {"namespace": names, "pod": names.map(lambda name: f"{name}-7c9d8f6b5d-x2k4p"), "container": names},
    optional=dict.fromkeys(KINDS, names),
)


CATALOG = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
RULEBOOK = load([shipped()], CATALOG, detectors.load())


def incident_of(labels: Mapping[str, str], clusters: ClusterLabels | None = None) -> str:
    alert = Alert(
        key=fingerprint(labels),
        fingerprint=fingerprint(labels),
        status=AlertStatus.FIRING,
        labels=labels,
        starts_at=NOW,
    )
    return assign(alert, RULEBOOK, {}, clusters or ClusterLabels()).identity


def spelled(meaning: Mapping[str, str], spelling: Mapping[str, str]) -> dict[str, str]:
    return {spelling.get(name, name): value for name, value in meaning.items()}


@unhurried
@given(meanings, st.sampled_from(SPELLINGS), st.sampled_from(ALERTS))
def test_the_same_in_another_spelling_is_the_same_incident_and_target(
    meaning: dict[str, str], spelling: Mapping[str, str], name: str
) -> None:
    plain = {"alertname": name, **meaning}
    behind = {"alertname": name, **KSM, **spelled(meaning, spelling)}
    assert incident_of(behind) == incident_of(plain)
    assert target_of(behind) == target_of(plain)
    assert subject_of(behind) == subject_of(plain)


@unhurried
@given(meanings, st.sampled_from(PLAIN), st.sampled_from(ALERTS), st.sampled_from(SPELLINGS))
def test_what_another_spelling_says_of_the_exporter_changes_nothing(
    meaning: dict[str, str], spelling: Mapping[str, str], name: str, own: Mapping[str, str]
) -> None:
    if own is SPELLINGS[0]:
        return
    labels = {"alertname": name, "job": "kube-state-metrics", **spelled(meaning, spelling)}
    scraped = {own[thing]: KSM[thing] for thing in ("namespace", "pod", "container")}
    assert incident_of(labels | scraped) == incident_of({"alertname": name, **meaning})


@unhurried
@given(meanings, names, st.sampled_from([*SPELLINGS, {}]), st.sampled_from(ALERTS))
def test_another_namespace_is_another_incident(
    meaning: dict[str, str], other: str, spelling: Mapping[str, str], name: str
) -> None:
    behind = {} if spelling == {} else KSM
    one = {"alertname": name, **behind, **spelled(meaning, spelling)}
    two = {"alertname": name, **behind, **spelled({**meaning, "namespace": other}, spelling)}
    assert (incident_of(one) == incident_of(two)) is (meaning["namespace"] == other)


@pytest.mark.parametrize("spelling", ["exported_namespace", "k8s_namespace_name", "kubernetes_namespace"])
def test_two_namespaces_behind_kube_state_metrics_are_two_incidents(spelling: str) -> None:
    found = {incident_of({"alertname": "KubePodCrashLooping", **KSM, spelling: namespace}) for namespace in ("a", "b")}
    assert found == {"kubernetes-pod|namespace=a", "kubernetes-pod|namespace=b"}


def test_pods_of_two_deployments_are_two_incidents_and_pods_of_one_are_one() -> None:
    def crashes(pod: str) -> str:
        return incident_of({"alertname": "KubePodCrashLooping", "namespace": "shop", "pod": pod, "uid": "b9cc"})

    assert crashes("api-7c9d8f6b5d-x2k4p") == crashes("api-7c9d8f6b5d-bcdfg")
    assert crashes("api-7c9d8f6b5d-x2k4p") != crashes("web-7c9d8f6b5d-x2k4p")
    assert crashes("db-0") == crashes("db-1") != crashes("solo")


@pytest.mark.parametrize("runs", [("report-28999800", "report-28999860"), ("report-1606780800", "report-1606784400")])
def test_failed_jobs_of_one_cron_job_are_one_incident(runs: tuple[str, str]) -> None:
    found = {incident_of({"alertname": "KubeJobFailed", "namespace": "shop", "job_name": job}) for job in runs}
    assert found == {"kubernetes-job|namespace=shop|workload=cronjob/report"}


def test_each_label_of_the_environment_makes_another_incident() -> None:
    labels = {"alertname": "X", "namespace": "shop", "cluster": "main", "environment": "prod", "tenant": "a"}
    several = ClusterLabels(("cluster", "environment", "tenant"))
    others = [labels | {name: "other"} for name in ("cluster", "environment", "tenant")]
    assert len({incident_of(one, several) for one in (labels, *others)}) == 4
    assert len({incident_of(one) for one in (labels, *others)}) == 2


@pytest.mark.parametrize(
    ("labels", "cluster"),
    [
        ({"cluster": "main", "environment": "staging"}, "main-staging"),
        ({"cluster": "main", "environment": "prod"}, "main/prod"),
        ({"cluster": "eu", "environment": "prod"}, "eu"),
        ({"k8s_cluster_name": "eu"}, "eu"),
        ({"environment": "staging"}, "staging"),
        ({}, ""),
    ],
)
def test_a_cluster_is_named_by_its_labels_or_by_the_value_of_one(labels: dict[str, str], cluster: str) -> None:
    known = {"main-staging": {"cluster": "main", "environment": "staging"}, "eu": {}}
    assert ClusterLabels(("cluster", "environment"), known).cluster(labels) == cluster


def runbook_of(name: str, **labels: str) -> str:
    return incident_of({"alertname": name, **labels}).partition("|")[0]


@pytest.mark.parametrize(
    ("words", "runbook"),
    [
        (("high", "response", "time"), "kubechat-high-response-time"),
        (("pod", "crash", "loop"), "kubechat-pod-crash-loop"),
        (("websocket", "failures"), "kubechat-websocket-failures"),
        (("database", "issues"), "kubechat-database-issues"),
        (("postgresql", "down"), "kubechat-database-issues"),
        (("kubechat", "database", "issues"), "kubechat-database-issues"),
        (("audit", "log", "ingestion", "failures"), "kubechat-audit-ingestion-failures"),
        (("siem", "export", "failures"), "kubechat-siem-export-failures"),
        (("command", "translation", "failures"), "kubechat-nlp-translation-failures"),
        (("application", "wont", "load"), "kubechat-web-app-down"),
        (("complete", "system", "failure"), "kubechat-disaster-recovery"),
    ],
)
@pytest.mark.parametrize("namespace", [{}, {"namespace": "kubechat-system"}, {"namespace": "kubechat"}])
def test_the_guides_names_reach_its_runbooks_in_any_spelling(
    words: tuple[str, ...], runbook: str, namespace: dict[str, str]
) -> None:
    camel = "".join(word.capitalize() for word in words)
    for name in (camel, "_".join(words), "-".join(words), " ".join(words), camel[0].lower() + camel[1:]):
        assert runbook_of(name, **namespace) == runbook
    assert runbook_of(camel.replace("Websocket", "WebSocket").replace("Postgresql", "PostgreSQL")) == runbook


@pytest.mark.parametrize(
    "name", ["DatabaseIssues", "PostgreSQLDown", "PodCrashLoop", "WebsocketFailures", "TargetDown"]
)
def test_alerts_of_other_namespaces_are_not_kubechats(name: str) -> None:
    assert not runbook_of(name, namespace="shop").startswith("kubechat")
    assert not runbook_of(name, **KSM, exported_namespace="shop").startswith("kubechat")


@pytest.mark.parametrize("name", ["TargetDown", "HighCPUUsage", "KubePodCrashLooping", "CPUThrottlingHigh"])
def test_common_names_without_a_namespace_are_not_kubechats(name: str) -> None:
    assert not runbook_of(name).startswith("kubechat")


def test_an_alert_without_a_namespace_joins_the_incident_of_the_runbooks_own() -> None:
    assert incident_of({"alertname": "DatabaseIssues"}) == incident_of(
        {"alertname": "KubeChatDatabaseDown", "namespace": "kubechat-system"}
    )


def tracked(name: str = "X", seconds: float = 0, **labels: str) -> TrackedAlert:
    everything = {"alertname": name, **labels}
    return TrackedAlert(
        incident_id="i1",
        key=fingerprint(everything),
        fingerprint=fingerprint(everything),
        state=AlertState.FIRING,
        labels=everything,
        starts_at=NOW + timedelta(seconds=seconds),
        first_seen=NOW,
        last_seen=NOW,
    )


PLAINEST = Runbook(
    apiVersion="responder/v1", kind="Runbook", metadata=Metadata(name="plain", title="Plain"), match=("{}",)
)


def targets(*alerts: TrackedAlert, runbook: Runbook = PLAINEST) -> list[Target]:
    return [aim.target for aim in aims(runbook, alerts, ClusterLabels())]


def test_alerts_about_different_things_are_looked_into_for_each() -> None:
    one, two = tracked(namespace="shop", deployment="api"), tracked(namespace="search", deployment="api", seconds=1)
    assert targets(one, two) == [
        Target(namespace="shop", workload="deployment/api"),
        Target(namespace="search", workload="deployment/api"),
    ]


def test_pods_of_one_owner_are_looked_into_once_by_the_first_of_them() -> None:
    pods = [tracked(namespace="shop", pod=f"api-7c9d8f6b5d-{end}", node=end) for end in ("x2k4p", "x2k4z")]
    (target,) = targets(*pods)
    assert target.namespace == "shop"
    assert target.pod in ("api-7c9d8f6b5d-x2k4p", "api-7c9d8f6b5d-x2k4z")
    assert target.node == ""


def test_a_workload_that_the_runbook_names_is_looked_into_once() -> None:
    runbook = PLAINEST.model_copy(update={"target": PLAINEST.target.model_copy(update={"workload": "deployment/gw"})})
    pods = [tracked(namespace="shop", pod=pod) for pod in ("api-7c9d8f6b5d-x2k4p", "web-7c9d8f6b5d-x2k4p")]
    assert targets(*pods, runbook=runbook) == [Target(namespace="shop", workload="deployment/gw")]


def test_without_any_alert_there_is_still_something_to_look_into() -> None:
    assert targets() == [Target()]


@unhurried
@given(st.lists(meanings, min_size=1, max_size=6), st.randoms())
def test_the_order_of_alerts_does_not_change_what_is_looked_into(found: list[dict[str, str]], random: object) -> None:
    alerts = [tracked(**meaning) for meaning in found]
    shuffled = list(alerts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert targets(*alerts) == targets(*shuffled)
