"""CPU and networks, as charts tell them."""

from datetime import timedelta

from responder.model.evidence import Chart, Evidence, Series
from tests.insurer.fault import fault
from tests.insurer.system import System
from tests.makers import NOW, evidence


def _series(values: list[float], **labels: str) -> Series:
    start = NOW.timestamp() - 15 * len(values)
    return Series(labels=labels, points=tuple((start + 15 * number, value) for number, value in enumerate(values)))


def _charts(
    system: System, role: str, query: str, unit: str, shifted: dict[str, tuple[float, float]], usual: float
) -> dict[str, Evidence]:
    calm, after = 24, 16
    series = [
        _series(
            [before + 0.01 * before * (number % 3) for number in range(calm)] + [worst] * after,
            namespace=system.namespace,
            **({"pod": system.pod_name(name)} if role != "latency" else {"destination_workload": name}),
        )
        for (kind, name) in system.objects
        if kind == "Deployment"
        for before, worst in [shifted.get(name, (usual, usual))]
    ]
    return {
        role: evidence(
            role, Chart(query=query, unit=unit, series=tuple(series), start=NOW - timedelta(minutes=10), end=NOW)
        )
    }


def _latency(system: System, **slow: tuple[float, float]) -> dict[str, Evidence]:
    named = {system.style.name(core.replace("_", "-")): value for core, value in slow.items()}
    return _charts(system, "latency", "istio_request_duration_milliseconds_bucket", "milliseconds", named, 4.0)


def _overloaded(system: System) -> dict[str, Evidence]:
    app = system.style.name("claim")
    throttled = _charts(
        system, "throttled", "container_cpu_cfs_throttled_seconds_total", "ratio", {app: (0.01, 0.8)}, 0.01
    )
    cpu = _charts(system, "cpu", "container_cpu_usage_seconds_total", "cores", {app: (0.05, 0.5)}, 0.05)
    return {**throttled, **cpu, **_latency(system, claim=(4.0, 900.0), policy=(9.0, 1000.0))}


@fault("pod-cpu-overload", "throttled", given=_overloaded)
def _(system: System, app: str) -> None:
    pass


@fault(
    "pod-network-delay",
    "a quick service and its callers",
    given=lambda system: _latency(system, claim=(2.0, 1800.0), policy=(30.0, 2300.0)),
)
def _(system: System, app: str) -> None:
    pass


@fault(
    "node-network-delay",
    "all of one node",
    subject="node/wrk-b",
    given=lambda system: _latency(system, claim=(2.0, 800.0), broker=(2.0, 700.0), payment_refund=(3.0, 900.0)),
)
def _(system: System, app: str) -> None:
    for core in ("claim", "broker", "payment-refund"):
        system.get("Pod", system.pod_name(system.style.name(core)))["spec"]["nodeName"] = "wrk-b"


def _loss(system: System) -> dict[str, Evidence]:
    series = tuple(
        _series([0.1] * 24 + [40.0 if node == "wrk-b" else 0.3] * 16, node=node)
        for node in ("cp-1", "wrk-a", "wrk-b", "wrk-c")
    )
    chart = Chart(
        query="rate(node_netstat_Tcp_RetransSegs[1m])",
        unit="segments/s",
        series=series,
        start=NOW - timedelta(minutes=10),
        end=NOW,
    )
    return {**_latency(system, claim=(2.0, 400.0), broker=(2.0, 300.0)), "retransmits": evidence("retransmits", chart)}


@fault("node-network-packet-loss", "one node sends again", subject="node/wrk-b", given=_loss)
def _(system: System, app: str) -> None:
    pass
