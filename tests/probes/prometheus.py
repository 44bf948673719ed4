"""Makers for the tests of the probes that ask Prometheus."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from responder.clients import Clients
from responder.model.alert import Alert
from responder.model.evidence import Series
from responder.model.subject import Target
from responder.probes import Inquiry
from tests.fakes.prometheus import FakePrometheus
from tests.makers import NOW, alert

STARTED = NOW - timedelta(minutes=5)


def asking(prometheus: FakePrometheus | None) -> Clients:
    """The clients of a cluster that has this Prometheus alone."""
    http: Any = None
    return Clients("", http, prometheus_client=prometheus)


def inquiry(*alerts: Alert) -> Inquiry:
    """What is asked about: alerts that began five minutes before NOW."""
    return Inquiry(target=Target(namespace="shop"), alerts=alerts or (alert(),), started_at=STARTED, now=NOW)


def course(value: Callable[[float], float], *, since: float = 65, until: float = 0, **labels: str) -> Series:
    """A series with a point every 15 seconds; `value` is told the minutes before NOW."""
    seconds = range(int(-since * 60), int(-until * 60) + 1, 15)
    return Series(labels=labels, points=tuple((NOW.timestamp() + at, value(-at / 60)) for at in seconds))
