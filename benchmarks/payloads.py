"""Webhook bodies as Alertmanager writes them."""

import json
from datetime import UTC, datetime
from typing import Any


def alert(name: str, number: int, started: str, **labels: str) -> dict[str, Any]:
    """One firing alert of the size that kube-prometheus alerts have."""
    return {
        "status": "firing",
        "labels": {
            "alertname": name,
            "cluster": "prod",
            "container": "api",
            "namespace": "shop",
            "pod": f"api-gateway-7d9c5b6f4-{number:05d}",
            "severity": "warning",
            **labels,
        },
        "annotations": {
            "description": f"Pod shop/api-gateway-{number} has been in a non-ready state for longer than 15 minutes.",
            "summary": "Pod has been in a non-ready state for more than 15 minutes.",
        },
        "startsAt": started,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=kube_pod_status_ready+%3D%3D+0&g0.tab=1",
        "fingerprint": f"{number:016x}",
    }


def body(alerts: list[dict[str, Any]]) -> bytes:
    """A notification, version 4."""
    return json.dumps(
        {
            "receiver": "responder",
            "status": "firing",
            "alerts": alerts,
            "groupLabels": {"alertname": alerts[0]["labels"]["alertname"]},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager:9093",
            "version": "4",
            "groupKey": "{}:{alertname}",
            "truncatedAlerts": 0,
        },
        separators=(",", ":"),
    ).encode()


def now() -> str:
    """The time as Alertmanager writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
