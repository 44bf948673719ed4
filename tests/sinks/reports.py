"""Reports as the flow makes them, for those that show them."""

from datetime import timedelta
from typing import Any

from responder.model.evidence import Chart, Evidence, Series
from responder.model.finding import Because, Cleared, Confidence, Finding, Unseen
from responder.model.incident import AlertState, IncidentStatus, Severity, TrackedAlert
from responder.model.report import Advice, Investigated, InvestigationStatus, Report
from responder.model.subject import Subject, Target
from tests.makers import NOW, evidence

GATEWAY = Subject(kind="Deployment", name="api-gateway", namespace="kubechat-system")


def tracked(
    name: str = "KubePodCrashLooping", *, state: AlertState = AlertState.FIRING, number: int = 0
) -> TrackedAlert:
    """An alert of the incident."""
    return TrackedAlert(
        incident_id="4f2a",
        key=f"{name}-{number}",
        fingerprint=f"{name}-{number}",
        state=state,
        labels={"alertname": name} if name else {},
        starts_at=NOW - timedelta(minutes=4),
        first_seen=NOW,
        last_seen=NOW,
    )


def chart(query: str, at: float = 0) -> Chart:
    """A chart of one point."""
    series = Series(labels={}, points=((at, 1.0),))
    return Chart(query=query, series=(series,), start=NOW, end=NOW)


def finding(**fields: Any) -> Finding:
    """Memory, the classic."""
    given: dict[str, Any] = {
        "cause": "memory-limit-reached",
        "subject": GATEWAY,
        "confidence": Confidence.CERTAIN,
        "headline": "api-gateway is killed for using more memory than its limit, 3 of 5 pods",
        "explanation": "container api-gateway reached its limit of 512Mi",
        "because": (
            Because(text="3 pods: last state OOMKilled, exit code 137", evidence=("pods",)),
            Because(text="revision 42 rolled out at 02:58", evidence=("workload", "pods", "gone")),
        ),
        "evidence": ("pods", "memory"),
        "next_steps": ("roll back to revision 41", "raise the limit to 1Gi"),
    }
    return Finding(**(given | fields))


def announced(**fields: Any) -> Report:
    """An incident of which only the alerts are known."""
    given: dict[str, Any] = {
        "id": "4f2a",
        "url": "http://responder.example/incidents/4f2a",
        "status": IncidentStatus.FIRING,
        "severity": Severity.P1,
        "runbook": "pod-crash-loop",
        "title": "KubePodCrashLooping",
        "headline": "KubePodCrashLooping: looking into it",
        "subject": GATEWAY,
        "target": Target(namespace="kubechat-system"),
        "opened_at": NOW,
        "started_at": NOW - timedelta(minutes=4),
        "updated_at": NOW,
        "revision": 1,
        "alerts": tuple(tracked(number=number) for number in range(3)),
        "investigation": Investigated(status=InvestigationStatus.RUNNING, started_at=NOW, number=1),
    }
    return Report(**(given | fields))


def diagnosed(**fields: Any) -> Report:
    """The same incident with its cause."""
    found: tuple[Evidence, ...] = (
        evidence("workload", summary="5 replicas wanted, 2 ready"),
        evidence("pods", summary="3 of 5 pods restart"),
        evidence("requests", chart("rate(requests)"), summary="12 requests/s"),
        evidence("memory", chart("memory"), summary="511Mi of 512Mi", breached=True),
    )
    given: dict[str, Any] = {
        "headline": finding().headline,
        "findings": (finding(),),
        "evidence": found,
        "cleared": (
            Cleared(text="node memory (4 nodes without pressure)", evidence=("workload",)),
            Cleared(text="Redis (PONG in 2 ms)"),
        ),
        "unseen": (Unseen(text="Loki answered 401: check the token"),),
        "advice": (
            Advice(when="immediate", steps=("look at the previous log", "raise the limit to 1Gi")),
            Advice(when="long_term", steps=("load test it",)),
        ),
        "investigation": Investigated(status=InvestigationStatus.FINISHED, started_at=NOW, finished_at=NOW, number=1),
    }
    return announced(**(given | fields))
