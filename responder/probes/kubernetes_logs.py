"""`kubernetes.logs`: what containers wrote, now and before their last restart; error lines grouped."""

import asyncio
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import re2
from pydantic import Field

from responder.clients import Clients, Kubernetes
from responder.clients.selectors import written
from responder.errors import Reason, Temporary, Trouble
from responder.model.evidence import ContainerLog, Gap, LogGroup, Logs, Observation, Reproduction
from responder.model.kubernetes import Container, Object, Pod, time
from responder.model.lines import plain
from responder.model.logs import group, last_error, records, stamped
from responder.model.runbook import Duration
from responder.model.statuses import reports
from responder.model.subject import Target
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import (
    WORKLOADS,
    Raw,
    find_workload,
    in_namespace,
    place,
    pods_in,
    reads,
    restarts,
    unhealthy,
    urgency,
)
from responder.templating import KubeName, Regex, Selector

KEPT_LINES = 200
_CUT = 1024 * 1024
"""A log of so many bytes may have been cut to fit."""
_LISTED = 6
_PATIENCE = 0.8
_ENDED_FIRST = 4
_LAG = timedelta(minutes=5)
"""Rules wait and evaluate over windows: trouble begins before its alert."""
_OLD = timedelta(minutes=30)
_CENTRAL = re.compile(
    r"(?:^|[/-])(?:mysql|mariadb|percona|postgres\w*|mongo\w*|gateway|zuul|kong|traefik|frontend)(?:[-:@/]|$)"
)


@dataclass(frozen=True)
class _Wanted:
    """A log to read."""

    pod: str
    container: str
    previous: bool

    def __str__(self) -> str:
        return f"log of {self.pod} {self.container}{' before its restart' if self.previous else ''}"


class KubernetesLogs(Probe):
    """The end of the logs of a workload's, a selector's or a namespace's containers, the unhealthy first.

    `previous` asks for the log before the last restart: `auto` where there was one. `grep` (RE2) keeps the lines that
    match, `statuses` those that report one of these HTTP statuses. Of pods that share an owner the first `max_alike`
    are read: what they write is alike; of all logs the first `max_logs`. `value` is how many lines of trouble it has.
    """

    workload: KubeName = ""
    selector: Selector = ""
    namespace: KubeName = ""
    pod: KubeName = ""
    container: KubeName = ""
    grep: Regex = ""
    statuses: tuple[int, ...] = ()
    tail: int = Field(default=500, ge=1, le=5000)
    since: Duration | None = None
    previous: Literal["auto", "never", "only"] = "auto"
    max_pods: int = Field(default=6, ge=1, le=100)
    max_alike: int = Field(default=100, ge=1, le=100)
    max_logs: int = Field(default=100, ge=1, le=200)
    only_unhealthy: bool = False
    whole_namespace: bool = Field(False, description="of every pod, not only of those that the alert names")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        where = self._place(inquiry)
        namespace = in_namespace(where)
        pods, unread = await self._pods(clients.kubernetes, where)
        if self.only_unhealthy:
            pods = [pod for pod in pods if unhealthy(pod) or restarts(pod)]
        chosen = self._chosen(pods)
        there = [item for pod in chosen for item in self._wanted(pod, inquiry.now)]
        wanted = _most_telling(chosen, there)[: self.max_logs]
        patience, began = inquiry.seconds * _PATIENCE, inquiry.started_at - _LAG
        async with asyncio.TaskGroup() as tasks:
            reading = [
                tasks.create_task(self._read(clients.kubernetes, namespace, item, patience, began)) for item in wanted
            ]
        answers = [task.result() for task in reading]
        logs = [answer for answer in answers if isinstance(answer, ContainerLog)]
        troubles = [(item, answer) for item, answer in zip(wanted, answers, strict=True) if isinstance(answer, Trouble)]
        if not logs and troubles and all(trouble.reason is not Reason.NOT_FOUND for _, trouble in troubles):
            raise troubles[0][1]
        left_out = self._left_out(pods, len(chosen), len(there) - len(wanted), logs)
        return Observation(
            summary=_summary(logs, chosen=self._chooses),
            brief=_example(logs) if self._chooses else "",
            data=Logs(logs=tuple(logs)),
            empty=not any(log.lines for log in logs),
            facts=tuple(_facts(logs)),
            value=float(sum(found.count for log in logs for found in log.groups)),
            truncated="; ".join(filter(None, (unread, *left_out))),
            gaps=tuple(Gap(what=str(item), reason=said.reason, message=str(said)[:256]) for item, said in troubles),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        where = self._place(inquiry)
        named = self.pod or (where.workload or where.pod if not self.selector else "")
        which = (named,) if named else ("-l", self.selector)
        containers = ("-c", self.container) if self.container else ("--all-containers",)
        options = (*containers, f"--tail={self.tail}", *(("--previous",) if self.previous == "only" else ()))
        command = clients.kubernetes.kubectl("-n", where.namespace, "logs", *which, *options)
        if self._chooses:
            wanted = "|".join(filter(None, (self.grep, *(rf"\b{code}\b" for code in self.statuses))))
            command += f" | grep -P -- {shlex.quote(wanted)}"
        return (Reproduction(command=command),)

    def permissions(self) -> tuple[Permission, ...]:
        kind = self.workload.partition("/")[0]
        owners: tuple[str, ...] = (WORKLOADS[kind],) if kind in WORKLOADS else ()
        if not (owners or self.selector or self.pod):
            owners = ("deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch")
        return (*reads("pods", *owners), Permission("", "pods/log", ("get",)))

    def _place(self, inquiry: Inquiry) -> Target:
        where = place(inquiry, self.namespace, self.workload)
        return Target(namespace=where.namespace) if self.whole_namespace else where

    async def _pods(self, kubernetes: Kubernetes, where: Target) -> tuple[list[Pod], str]:
        """The pods in question, and what the list left out."""
        if self.pod:
            return [Pod(await kubernetes.get("pods", self.pod, namespace=where.namespace))], ""
        labels = self.selector
        if not labels and (where.workload or where.pod):
            owner: Raw = await find_workload(kubernetes, where)
            if owner["kind"] == "Pod":
                return [Pod(owner)], ""
            labels = written(Object(owner).spec.get("selector") or {})
        listing = await kubernetes.list("pods", namespace=where.namespace, labels=labels)
        return pods_in(listing.items), listing.truncated

    def _wanted(self, pod: Pod, now: datetime) -> Iterator[_Wanted]:
        """The logs of a pod that can exist; the failing containers' first. Of old ends of what is well nothing."""
        for container in sorted(pod.containers, key=lambda item: (item.ready, -item.restarts)):
            if self.container not in ("", container.name) or (container.init and _completed(container)):
                continue
            ended = time(container.terminated.get("finishedAt"))
            old = self.previous == "auto" and container.ready and ended is not None and now - ended > _OLD
            if self.previous != "never" and container.restarts and not old:
                yield _Wanted(pod.name, container.name, True)
            if self.previous != "only" and pod.node and (not container.waiting or container.terminated):
                yield _Wanted(pod.name, container.name, False)

    @property
    def _chooses(self) -> bool:
        """Whether it keeps some of the lines only."""
        return bool(self.grep or self.statuses)

    async def _read(
        self, kubernetes: Kubernetes, namespace: str, item: _Wanted, patience: float, began: datetime
    ) -> ContainerLog | Trouble:
        try:
            async with asyncio.timeout(patience):
                text = await kubernetes.log(
                    namespace, item.pod, item.container, previous=item.previous, tail=self.tail, since=self.since
                )
        except Trouble as trouble:
            return trouble
        except TimeoutError:
            return Temporary(f"no answer within {patience:g} s", Reason.TIMEOUT)
        return await asyncio.to_thread(self._understand, namespace, item, text, began)

    def _understand(self, namespace: str, item: _Wanted, text: str, began: datetime) -> ContainerLog:
        lines = plain(text).splitlines()
        complete = len(lines) < self.tail and len(text) < _CUT
        if self._chooses:
            expressions: list[Any] = [re2.compile(self.grep)] * bool(self.grep)
            expressions += [reports(self.statuses)] * bool(self.statuses)
            lines = [line for line in lines if any(one.search(stamped(line)[1]) for one in expressions)]
        return ContainerLog(
            namespace=namespace,
            pod=item.pod,
            container=item.container,
            previous=item.previous,
            lines=tuple(stamped(line)[1] for line in lines[-KEPT_LINES:]),
            groups=group(lines, began),
            last_error=last_error(lines),
            truncated=not complete or len(lines) > KEPT_LINES,
        )

    def _chosen(self, pods: Sequence[Pod]) -> Sequence[Pod]:
        """The pods to read, the unhealthy first."""
        alike: Counter[tuple[str, str]] = Counter()
        chosen = []
        for pod in sorted(pods, key=urgency):
            owner = pod.controller or ("Pod", pod.name)
            alike[owner] += 1
            if alike[owner] <= self.max_alike:
                chosen.append(pod)
        return chosen[: self.max_pods]

    def _left_out(self, pods: Sequence[Pod], chosen: int, cut_off: int, logs: Sequence[ContainerLog]) -> Iterator[str]:
        if len(pods) > chosen:
            yield f"the logs of {len(pods) - chosen} of {len(pods)} pods were not read"
        if cut_off:
            yield f"{cut_off} more logs were not read"
        if cut := sum(log.truncated for log in logs):
            yield f"of {cut} logs there is more than the last {self.tail} lines read and {KEPT_LINES} kept"


def _most_telling(pods: Sequence[Pod], wanted: Sequence[_Wanted]) -> Sequence[_Wanted]:
    """Logs in the order in which they tell most: of what is unwell; some of what was restarted and is well again;
    of servers that many call and gateways that call many; of others the newest.
    """
    places = {pod.name: (place, pod) for place, pod in enumerate(pods)}
    ended = [item for item in wanted if item.previous and not unhealthy(places[item.pod][1])]

    def rank(item: _Wanted) -> tuple[int, float, int]:
        place, pod = places[item.pod]
        if unhealthy(pod):
            return 0, 0.0, place
        if item.previous:
            return (1 if item in ended[:_ENDED_FIRST] else 4), 0.0, place
        born = pod.created.timestamp() if pod.created else 0.0
        central = any(_CENTRAL.search(text) for text in (pod.name, *(container.image for container in pod.containers)))
        return (2 if central else 3), -born, place

    return sorted(wanted, key=rank)


def _completed(container: Container) -> bool:
    return bool(container.terminated) and container.terminated.get("exitCode") == 0


def _example(logs: Sequence[ContainerLog]) -> str:
    """The last of the lines that were looked for, in quotation marks."""
    lines = [line for log in logs for line in log.lines[-1:]]
    return f"“{next(records(lines[-1:])).text[:200]}”" if lines else "none"


def _summary(logs: Sequence[ContainerLog], *, chosen: bool) -> str:
    lines, trouble = sum(len(log.lines) for log in logs), sum(found.count for log in logs for found in log.groups)
    matching = " of what was looked for" if chosen else ""
    worst = max((log for log in logs if log.last_error), key=lambda log: (log.previous, len(log.groups)), default=None)
    said = f"; {worst.pod}: {worst.last_error[:160]}" if worst else ""
    return f"{_many(lines, 'line')}{matching} in {_many(len(logs), 'log')}, {trouble} of trouble{said}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _facts(logs: Sequence[ContainerLog]) -> Iterator[str]:
    groups = [(found, log) for log in logs for found in log.groups]
    for found, log in sorted(groups, key=lambda item: (-_grown(item[0]), -item[0].count))[:_LISTED]:
        when = " (before its restart)" if log.previous else ""
        often = f" ×{found.count}" if found.count > 1 else ""
        new = ", new" if found.late is not None and found.late == found.count else ""
        yield f"{log.pod} {log.container}{when}: {found.example[:300]}{often}{new}"


def _grown(found: LogGroup) -> int:
    """How many more of its lines came since the trouble began than before."""
    return 2 * found.late - found.count if found.late is not None else 0
