"""`kubernetes.logs`: what containers wrote, current and before their last restart; error lines grouped."""

import asyncio
from datetime import timedelta
from typing import Any, Literal

import re2
from pydantic import Field

from responder.clients import Clients, Kubernetes
from responder.errors import Permanent, Reason, Trouble
from responder.model.evidence import ContainerLog, Gap, Logs, Observation, Reproduction
from responder.model.logs import group, last_error, stamped
from responder.model.runbook import Duration
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Raw, find_workload, name_of, reads, restarts, selector_of, unhealthy
from responder.runbooks.templating import KubeName, Regex, Selector

KEPT_LINES = 200
LISTED = 6
NOT_STARTED = ("is waiting to start", "previous terminated container")


class KubernetesLogs(Probe):
    """The end of the logs of a workload's, a selector's or a namespace's containers, the unhealthy first.

    `previous` asks for the log before the last restart: `auto` where there was one. `grep` (RE2) keeps the
    lines that match. `value` is how many error lines there are.
    """

    workload: KubeName = ""
    selector: Selector = ""
    namespace: KubeName = ""
    pod: KubeName = ""
    container: KubeName = ""
    grep: Regex = ""
    tail: int = Field(default=500, ge=1, le=5000)
    since: Duration | None = None
    previous: Literal["auto", "never", "only"] = "auto"
    max_pods: int = Field(default=6, ge=1, le=100)
    only_unhealthy: bool = False

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        kubernetes = clients.kubernetes
        namespace = self.namespace or inquiry.target.namespace
        pods = await self._pods(kubernetes, inquiry, namespace)
        if self.only_unhealthy:
            pods = [pod for pod in pods if unhealthy(pod) or restarts(pod)]
        pods.sort(key=lambda pod: (not unhealthy(pod), -restarts(pod), name_of(pod)))
        chosen = pods[: self.max_pods]
        wanted = [item for pod in chosen for item in self._wanted(pod, inquiry)]
        answers = await asyncio.gather(*(self._read(kubernetes, namespace, *item) for item in wanted))
        logs = [answer for answer in answers if isinstance(answer, ContainerLog)]
        gaps = [answer for answer in answers if isinstance(answer, Gap)]
        if not logs and gaps and all(gap.reason is not Reason.NOT_FOUND for gap in gaps):
            raise Permanent(gaps[0].message, gaps[0].reason)
        left = len(pods) - len(chosen)
        return Observation(
            summary=_summary(logs, self.grep),
            data=Logs(logs=tuple(logs)),
            empty=not any(log.lines for log in logs),
            facts=tuple(_facts(logs)),
            value=float(sum(found.count for log in logs for found in log.groups)),
            truncated=f"{left} more pods were not read" if left > 0 else "",
            gaps=tuple(gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = self.namespace or inquiry.target.namespace
        name = self.pod or self.workload or (inquiry.target.workload if not self.selector else "") or inquiry.target.pod
        which = ("-l", self.selector) if self.selector else (name,) if name else ("-l", "")
        command = clients.kubernetes.kubectl("-n", namespace, "logs", *which, "--all-containers", f"--tail={self.tail}")
        if self.grep:
            quoted = self.grep.replace("'", "'\\''")
            command += f" | grep -P '{quoted}'"
        return (Reproduction(command=command),)

    def permissions(self) -> tuple[Permission, ...]:
        return (
            *reads("pods", "deployments.apps", "statefulsets.apps", "daemonsets.apps"),
            Permission("", "pods/log", ("get",)),
        )

    async def _pods(self, kubernetes: Kubernetes, inquiry: Inquiry, namespace: str) -> list[Raw]:
        if not namespace:
            raise Permanent("no namespace is known", Reason.NOT_FOUND)
        target = inquiry.target
        if self.pod:
            return [await kubernetes.get("pods", self.pod, namespace=namespace)]
        if self.selector or not (self.workload or target.workload or target.pod):
            return list((await kubernetes.list("pods", namespace=namespace, labels=self.selector)).items)
        workload = await find_workload(kubernetes, target, self.workload, namespace)
        if workload["kind"] == "Pod":
            return [workload]
        return list((await kubernetes.list("pods", namespace=namespace, labels=selector_of(workload))).items)

    def _wanted(self, pod: Raw, inquiry: Inquiry) -> list[tuple[str, str, bool]]:
        """(pod, container, previous) of what to read."""
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        statuses = {
            str(item.get("name", "")): item
            for field in ("initContainerStatuses", "containerStatuses")
            for item in status.get(field) or ()
        }
        found: list[tuple[str, str, bool]] = []
        for field in ("initContainers", "containers"):
            for container in spec.get(field) or ():
                name = str(container.get("name", ""))
                state = statuses.get(name, {})
                if self.container not in ("", name) or (field == "initContainers" and _completed(state)):
                    continue
                if self.previous != "only":
                    found.append((name_of(pod), name, False))
                if self.previous == "only" or (self.previous == "auto" and int(state.get("restartCount") or 0)):
                    found.append((name_of(pod), name, True))
        return found

    async def _read(
        self, kubernetes: Kubernetes, namespace: str, pod: str, container: str, previous: bool
    ) -> ContainerLog | Gap | None:
        since: timedelta | None = self.since
        try:
            text = await kubernetes.log(namespace, pod, container, previous=previous, tail=self.tail, since=since)
        except Trouble as trouble:
            if any(sign in str(trouble) for sign in NOT_STARTED):
                return None
            what = f"log of {pod} {container}{' before its restart' if previous else ''}"
            return Gap(what=what, reason=trouble.reason, message=str(trouble)[:256])
        return await asyncio.to_thread(self._understand, namespace, pod, container, previous, text)

    def _understand(self, namespace: str, pod: str, container: str, previous: bool, text: str) -> ContainerLog:
        lines = text.splitlines()
        if self.grep:
            expression: Any = re2.compile(self.grep)
            lines = [line for line in lines if expression.search(line)]
        return ContainerLog(
            namespace=namespace,
            pod=pod,
            container=container,
            previous=previous,
            lines=tuple(stamped(line)[1] for line in lines[-KEPT_LINES:]),
            groups=group(lines),
            last_error=last_error(lines),
            truncated=len(lines) > KEPT_LINES,
        )


def _completed(state: Raw) -> bool:
    ended = (state.get("state") or {}).get("terminated") or {}
    return ended.get("exitCode") == 0


def _summary(logs: list[ContainerLog], grep: str) -> str:
    lines, errors = sum(len(log.lines) for log in logs), sum(found.count for log in logs for found in log.groups)
    matching = f" that match {grep!r}" if grep else ""
    return f"{lines} lines{matching} of {len(logs)} logs, {errors} of trouble"


def _facts(logs: list[ContainerLog]) -> list[str]:
    groups = [(found.count, found.example, log) for log in logs for found in log.groups]
    groups.sort(key=lambda item: -item[0])
    return [
        f"{log.pod} {log.container}{' (before its restart)' if log.previous else ''}: {example[:300]}"
        + (f" ×{count}" if count > 1 else "")
        for count, example, log in groups[:LISTED]
    ]
