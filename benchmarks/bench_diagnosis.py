"""Diagnose recorded cluster faults and write what was found, in the format of the recordings' scorer.

    python -m benchmarks.bench_diagnosis CASES RESULTS.jsonl [--only FILE]

A case is a gzipped JSON file: `objects` as the API server has them, `logs` by `namespace/pod/container`,
`node_services`, and `metrics` in rows of five seconds. The evidence is what the probes of the triage runbook
would bring; the diagnosis runs in this process.
"""

import argparse
import gzip
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from responder import detectors
from responder.clients.objects import pruned
from responder.detectors import Case
from responder.flow.diagnose import diagnose
from responder.model.alert import Alert, AlertStatus
from responder.model.evidence import (
    Chart,
    ContainerLog,
    Evidence,
    EvidenceStatus,
    KubernetesObjects,
    Logs,
    Sample,
    Samples,
    Series,
    Shape,
)
from responder.model.logs import group, last_error, stamped
from responder.model.runbook import Runbook
from responder.model.subject import Target
from responder.probes.kubernetes_namespace import AROUND, INSIDE, SYSTEM

STEP = timedelta(seconds=5)
TAIL, KEPT = 500, 200
TRIAGE = Runbook.model_validate(
    {
        "apiVersion": "responder/v1",
        "kind": "Runbook",
        "metadata": {"name": "triage", "title": "Triage"},
        "match": ["alertname =~ '.+'"],
        "diagnose": [{"use": "all"}],
    }
)


def moment(text: str) -> datetime:
    """A time as the recordings write it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def evidence_of(recorded: Mapping[str, Any]) -> dict[str, Evidence]:
    """What the probes would have seen."""
    at = moment(recorded["states_at"])
    shapes: dict[str, Shape] = {
        "namespace": _objects(recorded),
        "logs": _logs(recorded),
        "node_services": _node_services(recorded, at),
        **_charts(recorded, at),
    }
    return {
        name: Evidence(
            id=name,
            probe="recorded",
            status=EvidenceStatus.OK,
            summary=name,
            shape=shape.shape,
            data=shape.model_dump(mode="json"),
            at=at,
        )
        for name, shape in shapes.items()
    }


def _objects(recorded: Mapping[str, Any]) -> KubernetesObjects:
    namespace = recorded["namespace"]
    objects = []
    for item in recorded["objects"]:
        kind, where = item["kind"], item["metadata"].get("namespace", "")
        inside = kind in INSIDE and where == namespace
        system = kind in ("Pod", "Event") and (where == SYSTEM or (kind == "Event" and _of_node(item)))
        if inside or kind in AROUND or system:
            objects.append(pruned(item, item["apiVersion"], kind))
    complete = [f"{kind}/{namespace}" for kind in INSIDE] + list(AROUND) + [f"Pod/{SYSTEM}", f"Event/{SYSTEM}"]
    return KubernetesObjects(objects=tuple(objects), complete=tuple(complete))


def _of_node(event: Mapping[str, Any]) -> bool:
    return bool(event["involvedObject"].get("kind") == "Node")


def _logs(recorded: Mapping[str, Any]) -> Logs:
    found = []
    for name, text in recorded["logs"].items():
        namespace, pod, rest = name.split("/", 2)
        container, _, which = rest.partition(":")
        lines = text.splitlines()[-TAIL:]
        found.append(
            ContainerLog(
                namespace=namespace,
                pod=pod,
                container=container,
                previous=which == "previous",
                lines=tuple(stamped(line)[1] for line in lines[-KEPT:]),
                groups=group(lines),
                last_error=last_error(lines),
            )
        )
    return Logs(logs=tuple(found))


def _node_services(recorded: Mapping[str, Any], at: datetime) -> Samples:
    samples = [
        Sample(
            labels={"instance": node, "node": node, "name": f"{service}.service", "state": "active"},
            value=float(state == "active"),
        )
        for node, services in recorded["node_services"].items()
        for service, state in services.items()
        if state != "unknown"
    ]
    return Samples(query='node_systemd_unit_state{state="active"}', at=at, samples=tuple(samples))


METRICS: Mapping[str, tuple[str, str]] = {
    "cpu": ("cpu_usage", "cores"),
    "cpu_cfs": ("cpu_throttling", "ratio"),
    "mem": ("memory_usage", "bytes"),
    "network_receive": ("network_receive", "packets/s"),
    "network_transmit": ("network_transmit", "packets/s"),
    "rps": ("requests", "requests/s"),
    "success_rate": ("success_rate", "ratio"),
    "p50latency": ("latency_p50", "milliseconds"),
    "p90latency": ("latency_p90", "milliseconds"),
    "p95latency": ("latency_p95", "milliseconds"),
}
NODE_METRICS: Mapping[str, tuple[str, str]] = {
    "cpu": ("node_cpu", "ratio"),
    "mem": ("node_memory", "ratio"),
    "tcp_retans": ("node_retransmits", "segments/s"),
}


def _charts(recorded: Mapping[str, Any], at: datetime) -> dict[str, Shape]:
    table = recorded.get("metrics") or {"columns": [], "rows": []}
    nodes = {item["metadata"]["name"] for item in recorded["objects"] if item["kind"] == "Node"}
    series: dict[str, list[Series]] = {}
    units: dict[str, str] = {}
    for place, column in enumerate(table["columns"]):
        who, _, what = column.rpartition("-")
        of_node = who in nodes
        if not place or what not in (NODE_METRICS if of_node else METRICS):
            continue
        name, unit = (NODE_METRICS if of_node else METRICS)[what]
        label = {"node": who} if of_node else {"namespace": recorded["namespace"], "workload": who}
        points = tuple((moment(row[0]).timestamp(), row[place]) for row in table["rows"] if row[place] is not None)
        series.setdefault(name, []).append(Series(labels=label, points=points))
        units[name] = unit
    return {
        name: Chart(query=name, unit=units[name], series=tuple(found), start=at - timedelta(minutes=10), end=at)
        for name, found in series.items()
    }


def case_of(recorded: Mapping[str, Any]) -> Case:
    """The case as the triage runbook would have it: an alert that says little more than the namespace."""
    now = moment(recorded["states_at"])
    alert = Alert(
        key="1",
        fingerprint="1",
        status=AlertStatus.FIRING,
        labels={"alertname": "NamespaceUnhealthy", "namespace": recorded["namespace"]},
        annotations={"summary": recorded["query"]},
        starts_at=now - timedelta(minutes=1),
    )
    return Case(
        target=Target(namespace=recorded["namespace"]),
        alerts=(alert,),
        started_at=alert.starts_at,
        now=now,
        evidence=evidence_of(recorded),
    )


def results(folder: Path, only: set[str]) -> Iterator[dict[str, Any]]:
    """One line of results for each case."""
    everything = detectors.load()
    for path in sorted(folder.glob("*.json.gz")):
        name = path.name.removesuffix(".json.gz").replace("-", "/", 2)
        if only and name not in only:
            continue
        case = case_of(json.loads(gzip.decompress(path.read_bytes())))
        begun = time.perf_counter()
        diagnosis = diagnose(case, TRIAGE, everything)
        yield {
            "case": name,
            "findings": [
                {
                    "cause": item.cause,
                    "subject": item.subject.model_dump(),
                    "confidence": item.confidence,
                    "headline": item.headline,
                }
                for item in diagnosis.findings
            ],
            "remarks": diagnosis.remarks,
            "cleared": [item.text for item in diagnosis.cleared],
            "seconds": round(time.perf_counter() - begun, 4),
        }


def main() -> None:
    """Diagnose a folder of cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--only", type=Path, help="a file with the names of the cases to take, one a line")
    options = parser.parse_args()
    only = set(options.only.read_text().split()) if options.only else set()
    with options.results.open("w") as output:
        for line in results(options.cases, only):
            output.write(json.dumps(line, default=str) + "\n")


if __name__ == "__main__":
    main()
