"""Follow-up questions: what would prove or refute the hypotheses that an investigation has."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from responder.model.record import Record
from responder.model.runbook import Step


class FollowUp(Record):
    """A question that the evidence so far suggests.

    `why` completes "asked because …"; `requests` estimates what the answer costs the cluster.
    """

    probe: str
    options: Mapping[str, Any]
    title: str
    why: str
    requests: int = 1

    @property
    def id(self) -> str:
        """The same for the same question, whoever suggests it and in whichever round."""
        text = json.dumps([self.probe, dict(self.options)], sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{self.probe.replace('.', '_')}_{digest}"

    @property
    def step(self) -> Step:
        """The question as a step of an investigation."""
        return Step.model_validate({"id": self.id, "probe": self.probe, "title": self.title, **self.options})


def objects(resource: str, why: str, *, namespace: str = "", cluster: bool = False, name: str = "") -> FollowUp:
    """Read the objects of a resource, as `networkpolicies.networking.k8s.io`; of the target's namespace if not told."""
    options: dict[str, Any] = {"resource": resource}
    options |= {"namespace": namespace} if namespace else {}
    options |= {"cluster": True} if cluster else {}
    options |= {"name": name} if name else {}
    plural = resource.partition(".")[0]
    where = " of the cluster" if cluster else f" in {namespace}" if namespace else ""
    return FollowUp(probe="kubernetes.objects", options=options, title=f"{name or plural}{where}", why=why)


def logs(
    why: str, *, namespace: str, pod: str = "", workload: str = "", selector: str = "", container: str = ""
) -> FollowUp:
    """Read the logs of a pod, or of two pods of a workload or selector, before their last restart too."""
    named = {"pod": pod, "workload": workload, "selector": selector, "container": container}
    options: dict[str, Any] = {"namespace": namespace, "tail": 300, "max_pods": 2, "max_logs": 4}
    options |= {name: value for name, value in named.items() if value}
    title = f"Logs of {pod or workload or selector}"
    return FollowUp(probe="kubernetes.logs", options=options, title=title, why=why, requests=3)
