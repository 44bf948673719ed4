"""Cases made of the demo's recorded clusters, or of objects that a test writes down."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from responder.demo.clusters import RECORDED_AT, RECORDINGS
from responder.detectors import Case, Detect
from responder.model.evidence import KubernetesObjects
from responder.model.finding import Cleared, Finding
from responder.model.subject import Target
from tests.makers import alert, evidence

NAMESPACE = "kubechat-system"


def recorded(fault: str, state: str = "faulty") -> list[dict[str, Any]]:
    """The objects of a recorded cluster."""
    folder = RECORDINGS / fault / state
    return [item for file in sorted(folder.glob("*.json")) for item in json.loads(file.read_text())["items"]]


def case(
    objects: Iterable[dict[str, Any]],
    *,
    whole: tuple[str, ...] = ("Pod", "Deployment", "ReplicaSet", "Service"),
    namespace: str = NAMESPACE,
    started_at: datetime = RECORDED_AT - timedelta(minutes=1),
) -> Case:
    """A case with the objects as its only evidence; of the kinds in `whole` every object was read."""
    complete = tuple(f"{kind}/{namespace}" for kind in whole)
    seen = evidence("namespace", KubernetesObjects(objects=tuple(objects), complete=complete))
    return Case(
        target=Target(namespace=namespace),
        alerts=(alert(namespace=namespace),),
        started_at=started_at,
        now=RECORDED_AT,
        evidence={"namespace": seen},
    )


def findings(detect: Detect, case: Case) -> list[Finding]:
    """What a detector concludes, without what it clears."""
    return [said for said in detect(case) if isinstance(said, Finding)]


def cleared(detect: Detect, case: Case) -> list[str]:
    """What a detector clears."""
    return [said.text for said in detect(case) if isinstance(said, Cleared)]
