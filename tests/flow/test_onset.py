"""Time to detection and to resolution begin when the trouble began, not when the alert's rule had waited enough."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from responder.app import world
from responder.clients import Clients
from responder.errors import Reason, Temporary
from responder.flow.onset import Onsets
from responder.flow.world import World
from responder.metrics import Metrics
from responder.model.evidence import Sample
from responder.model.incident import AlertState, Incident, IncidentStatus, Severity, TrackedAlert
from responder.model.ledger import Changes, Ledger
from responder.model.subject import Subject
from responder.settings import Settings
from responder.store import incidents
from tests.clock import TurnedClock
from tests.fakes.clients import FailingHttp
from tests.fakes.prometheus import FakePrometheus
from tests.makers import NOW
from tests.servers import Servers, route, servers
from tests.service import Starter, start_service

__all__ = ["servers", "start_service"]

FIRED = NOW - timedelta(minutes=1)
LABELS = {"alertname": "QueueStuck", "namespace": "shop", "queue": "orders"}


@dataclass
class Lost(FakePrometheus):
    """A Prometheus that does not answer."""

    async def query(self, expression: str, *, at: datetime | None = None) -> Any:
        raise Temporary("Prometheus is away", Reason.UNREACHABLE)


@dataclass
class Case:
    """One open incident in a store, and what became of it."""

    world: World
    prometheus: FakePrometheus = field(default_factory=FakePrometheus)

    async def find(self) -> Incident:
        await Onsets(self.world).find("i")
        found = await self.world.database.read(lambda connection: incidents.get(connection, "i"))
        assert found is not None
        return found

    def detection(self) -> tuple[float, float]:
        """How many times time to detection was measured, and the sum in seconds."""
        sample = self.world.metrics.registry.get_sample_value
        name, labels = "responder_time_to_detection_seconds", {"severity": "P1"}
        return sample(f"{name}_count", labels) or 0, sample(f"{name}_sum", labels) or 0


@asynccontextmanager
async def case(
    folder: Path, prometheus: FakePrometheus | None, labels: Mapping[str, str] = LABELS, **incident: Any
) -> AsyncIterator[Case]:
    settings = Settings(database=f"sqlite:///{folder}/r.db", sinks=())
    async with world(settings, Metrics(), TurnedClock(NOW)) as made:
        clients = Clients("", FailingHttp(), prometheus_client=prometheus)
        found = replace(made, clusters={"": clients})
        opened = Incident(
            **{
                "id": "i",
                "identity": "i",
                "runbook": "default",
                "title": "QueueStuck",
                "subject": Subject(kind="Unknown", name=""),
                "severity": Severity.P1,
                "status": IncidentStatus.FIRING,
                "opened_at": FIRED + timedelta(seconds=5),
                "started_at": FIRED,
                "updated_at": NOW,
                **incident,
            }
        )
        alert = TrackedAlert(
            incident_id="i",
            key="a",
            fingerprint="a",
            state=AlertState.FIRING,
            labels=labels,
            starts_at=FIRED,
            first_seen=NOW,
            last_seen=NOW,
        )
        changes = Changes(incidents=(opened,), alerts=(alert,))
        await found.database.write(lambda connection: incidents.apply(connection, changes, Ledger()))
        yield Case(found, prometheus or FakePrometheus())


def pending(seconds: float, **labels: str) -> Sample:
    return Sample(
        labels={"__name__": "ALERTS_FOR_STATE", **LABELS, **labels},
        value=(FIRED - timedelta(seconds=seconds)).timestamp(),
    )


async def test_detection_counts_from_when_prometheus_saw_the_expression_hold(tmp_path: Path) -> None:
    others = [pending(900, queue="returns"), pending(40, cluster="added by relabelling")]
    async with case(tmp_path, FakePrometheus(samples=others)) as found:
        incident = await found.find()
        assert incident.began_at == FIRED - timedelta(seconds=40)
        assert incident.started_at == FIRED
        assert found.detection() == (1, 45)
        assert found.prometheus.asked == [('ALERTS_FOR_STATE{alertname="QueueStuck"}', FIRED)]


async def test_looking_again_measures_nothing_twice(tmp_path: Path) -> None:
    async with case(tmp_path, FakePrometheus(samples=[pending(40)])) as found:
        first = await found.find()
        assert await found.find() == first
        assert found.detection() == (1, 45)


async def test_without_a_record_it_is_the_for_of_the_rule(tmp_path: Path) -> None:
    rules = [
        {"name": "QueueStuck", "labels": {"queue": "returns"}, "duration": 600},
        {"name": "QueueStuck", "labels": {"queue": "orders"}, "duration": 120},
    ]
    async with case(tmp_path, FakePrometheus(alerting=rules)) as found:
        assert (await found.find()).began_at == FIRED - timedelta(minutes=2)
        assert found.detection() == (1, 125)


@pytest.mark.parametrize("prometheus", [None, Lost()], ids=["none is configured", "it does not answer"])
async def test_where_prometheus_does_not_answer_the_rules_that_ship_say_how_long_they_wait(
    tmp_path: Path, prometheus: FakePrometheus | None
) -> None:
    async with case(tmp_path, prometheus, {"alertname": "KubeChatWebAppDown"}) as found:
        assert (await found.find()).began_at == FIRED - timedelta(minutes=2)


async def test_where_nothing_is_known_of_the_rule_it_began_when_the_alert_fired(tmp_path: Path) -> None:
    async with case(tmp_path, None) as found:
        assert (await found.find()).began_at == FIRED
        assert found.detection() == (1, 5)


async def test_what_a_person_opened_was_detected_by_nobody(tmp_path: Path) -> None:
    async with case(tmp_path, FakePrometheus(), opened_by="Ada") as found:
        await found.find()
        assert found.detection() == (0, 0)


def test_an_incident_lasts_from_when_the_trouble_began() -> None:
    incident = Incident(
        id="i",
        identity="i",
        runbook="default",
        title="QueueStuck",
        subject=Subject(kind="Unknown", name=""),
        severity=Severity.P1,
        status=IncidentStatus.RESOLVED,
        opened_at=FIRED,
        started_at=FIRED,
        onset_at=FIRED - timedelta(minutes=2),
        updated_at=NOW,
        resolved_at=NOW,
    )
    assert incident.lasted(NOW) == 180


@pytest.mark.integration
async def test_with_a_real_prometheus_the_time_that_the_rule_waited_counts(
    servers: Servers, start_service: Starter
) -> None:
    webhook = await servers.webhook()
    rule = {"alert": "QueueStuck", "expr": "vector(1) == 1", "for": "4s", "labels": {"severity": "critical"}}
    alertmanager = await servers.alertmanager(route(webhook.url, group_wait="0s"))
    prometheus = await servers.prometheus([rule], alertmanagers=[alertmanager.url])
    service = await start_service(prometheus={"url": prometheus.url})
    (body, *_) = await webhook.until(1)
    async with service.session.post(f"{service.url}/api/v1/alertmanager", json=body) as answer:
        assert answer.status == 200
    incident = await service.incident(lambda item: item["onset_at"] is not None)
    started, onset = (datetime.fromisoformat(incident[name]) for name in ("started_at", "onset_at"))
    assert timedelta(seconds=3) < started - onset <= timedelta(seconds=6)
    assert await service.metric("responder_time_to_detection_seconds_sum", severity="P1") >= 4
