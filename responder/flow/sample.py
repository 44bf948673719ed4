"""A sample incident in its three stages, for previews and for `responder sinks test`."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from responder.flow.buttons import Addresses
from responder.flow.message import compose
from responder.model.communication import PublicUpdate
from responder.model.evidence import Chart, Evidence, EvidenceStatus, Reproduction, Series, Threshold
from responder.model.finding import Because, Cleared, Confidence, Finding, Unseen
from responder.model.incident import AlertState, IncidentStatus, Severity, TrackedAlert
from responder.model.message import Message, Stage
from responder.model.report import Advice, Check, Investigated, InvestigationStatus, Report, Verification
from responder.model.subject import Subject, Target

NAME = "SampleAlert"
ID = "sample"
_MINUTE = timedelta(minutes=1)


def stages(now: datetime, addresses: Addresses, key: str = ID) -> Mapping[Stage, Message]:
    """The messages of one incident that began four minutes ago: first word, answer, end."""
    announced = _report(now, addresses.base_url, key)
    diagnosed = announced.model_copy(update=_answer(now))
    resolved = diagnosed.model_copy(update=_end(announced.alerts[0], now))
    states = {"announced": "investigating", "diagnosed": "identified", "resolved": "resolved"}
    reports: Mapping[Stage, Report] = {"announced": announced, "diagnosed": diagnosed, "resolved": resolved}
    return {
        stage: compose(report, addresses=addresses).model_copy(
            update={
                "public": PublicUpdate.model_validate(
                    {
                        "state": states[stage],
                        "title": "Slow answers of the shop (sample)",
                        "body": "This is a sample: some requests to the shop may fail.",
                        "at": now,
                    }
                )
            }
        )
        for stage, report in reports.items()
    }


def _report(now: datetime, base_url: str, key: str) -> Report:
    began = now - 4 * _MINUTE
    subject = Subject(kind="Deployment", name="checkout", namespace="shop")
    tracked = TrackedAlert(
        incident_id=key,
        key=f"{key}-alert",
        fingerprint=key,
        state=AlertState.FIRING,
        labels={"alertname": NAME, "namespace": "shop", "severity": "critical", "team": "shop"},
        annotations={"summary": "A sample, to see that findings arrive; nothing is broken."},
        starts_at=began,
        first_seen=now,
        last_seen=now,
    )
    return Report(
        id=key,
        url=f"{base_url}/incidents/{key}",
        status=IncidentStatus.FIRING,
        severity=Severity.P1,
        runbook="sample",
        title=f"{NAME} on {subject}",
        headline=f"Sample: {NAME} on {subject}: looking into it",
        subject=subject,
        target=Target(namespace="shop", workload="deployment/checkout"),
        opened_at=now,
        started_at=began,
        updated_at=now,
        revision=1,
        alerts=(tracked,),
        investigation=Investigated(status=InvestigationStatus.RUNNING, started_at=now, number=1),
    )


def _answer(now: datetime) -> dict[str, object]:
    finding = Finding(
        cause="container-oom-killed",
        subject=Subject(kind="Deployment", name="checkout", namespace="shop"),
        confidence=Confidence.CERTAIN,
        headline="Sample: checkout is killed for using more memory than its limit of 512Mi (OOMKilled), 3 of 5 pods",
        because=(
            Because(text="3 pods: last state OOMKilled, exit code 137, 7 restarts", evidence=("pods",)),
            Because(text="working set 511 MiB when it was killed, 180 MiB an hour earlier", evidence=("memory",)),
        ),
        evidence=("pods", "memory"),
        next_steps=("Roll back to revision 41", "Raise the memory limit to 1Gi"),
    )
    return {
        "headline": finding.headline,
        "findings": (finding,),
        "revision": 2,
        "evidence": (
            Evidence(
                id="pods",
                probe="kubernetes.pods",
                title="The pods",
                status=EvidenceStatus.OK,
                summary="3 of 5 pods restart",
                reproduce=(Reproduction(command="kubectl -n shop get pods"),),
                at=now,
            ),
            _memory(now),
        ),
        "cleared": (Cleared(text="node memory (4 nodes without pressure)"), Cleared(text="PostgreSQL (34 of 100)")),
        "unseen": (Unseen(text="Loki answered 401: check the token"),),
        "advice": (Advice(when="immediate", steps=("Look at what was rolled out last",)),),
        "investigation": Investigated(status=InvestigationStatus.FINISHED, started_at=now, finished_at=now, number=1),
    }


def _end(alert: TrackedAlert, now: datetime) -> dict[str, object]:
    checks = (Check(text="memory below 80 % of the limit", passed=True, seen="41 %", evidence=("memory",)),)
    return {
        "status": IncidentStatus.RESOLVED,
        "resolved_at": now,
        "revision": 3,
        "alerts": (alert.model_copy(update={"state": AlertState.RESOLVED, "ends_at": now}),),
        "verification": Verification(at=now, checks=checks),
    }


def _memory(now: datetime) -> Evidence:
    """An hour of a working set that climbs to its limit and falls at each restart."""
    start = now - 60 * _MINUTE
    mib = 1024**2
    points = tuple(
        (
            (start + minute * _MINUTE).timestamp(),
            mib * (180 + 6 * math.sin(minute / 4) + (max(0, minute - 30) * 28) % 332),
        )
        for minute in range(61)
    )
    chart = Chart(
        query='sum by (pod) (container_memory_working_set_bytes{namespace="shop"})',
        unit="bytes",
        series=(Series(labels={"pod": "checkout-5d9c7c5b9-x2x7k"}, points=points),),
        threshold=Threshold(operator=">", value=512.0 * mib),
        start=start,
        end=now,
    )
    return Evidence(
        id="memory",
        probe="prometheus.range",
        title="Memory that checkout's pods use",
        status=EvidenceStatus.OK,
        summary="511 MiB, limit 512 MiB",
        breached=True,
        shape=chart.shape,
        data=chart.model_dump(mode="json"),
        reproduce=(Reproduction(command="promtool query range http://prometheus:9090 …"),),
        at=now,
    )
