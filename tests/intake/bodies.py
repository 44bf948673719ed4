"""Webhook bodies as senders build them."""

import json
from typing import Any

ZERO = "0001-01-01T00:00:00Z"


def wire_alert(**fields: Any) -> dict[str, Any]:
    """An alert as Alertmanager sends it; a field that is None is left out."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "DiskFull", "instance": "db-1:9100"},
        "annotations": {"summary": "disk of db-1 is full"},
        "startsAt": "2026-03-04T02:55:00.123456789Z",
        "endsAt": ZERO,
        "generatorURL": "http://prometheus:9090/graph?g0.expr=disk_free+%3C+1",
        "fingerprint": "0123456789abcdef",
    } | fields
    return {name: value for name, value in alert.items() if value is not None}


def wire(*alerts: Any, **fields: Any) -> bytes:
    """A notification as Alertmanager sends it; a field that is None is left out."""
    body = {
        "receiver": r"team/web\.hook",
        "status": "firing",
        "alerts": list(alerts) or [wire_alert()],
        "notification_reason": "first notification",
        "groupLabels": {"alertname": "DiskFull"},
        "commonLabels": {"alertname": "NotTheAlertsOwn"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": '{}:{alertname="DiskFull"}',
        "truncatedAlerts": 0,
    } | fields
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode() + b"\n"
