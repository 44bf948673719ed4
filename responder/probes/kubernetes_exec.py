"""`kubernetes.exec`: what a command in a container says. Off unless the settings allow the command."""

from collections.abc import Sequence

import re2
from pydantic import Field, PositiveFloat

from responder.clients import Clients, Execution, Kubernetes
from responder.clients.selectors import written
from responder.errors import Permanent, Reason
from responder.model.evidence import Observation, Reproduction
from responder.model.executions import CommandAnswer
from responder.model.kubernetes import Object, Pod
from responder.model.lines import plain
from responder.model.subject import Target
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import WORKLOADS, find_workload, in_namespace, place, reads
from responder.templating import KubeName, Plain, Regex

LISTED = 12
_LONGEST = 200


class KubernetesExec(Probe):
    """What a command says in a container of a ready pod of the workload; `value` is its exit code.

    Nothing runs that `kubernetes.exec` in the settings does not allow in that namespace. The command is a list of
    arguments: there is no shell, no terminal, and no input.
    """

    command: tuple[Plain, ...] = Field(min_length=1, description="the program and its arguments")
    workload: KubeName = ""
    pod: KubeName = ""
    namespace: KubeName = ""
    container: KubeName = Field("", description="the container, if not the first")
    expect_output: Regex = Field("", description="an RE2 expression that the output should contain")
    max_seconds: PositiveFloat = Field(8, le=60, description="how long it may run")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        where = self._place(inquiry)
        namespace = in_namespace(where)
        pod = await _ready_pod(clients.kubernetes, where)
        container = self.container or next((item.name for item in pod.containers if not item.init), "")
        ended = await clients.kubernetes.exec(namespace, pod.name, container, self.command, timeout=self.max_seconds)
        answer = CommandAnswer(
            namespace=namespace,
            pod=pod.name,
            container=container,
            command=self.command,
            code=ended.code,
            stdout=ended.stdout,
            stderr=ended.stderr,
            error=ended.error,
        )
        lines = [line for line in plain(f"{ended.stdout}\n{ended.stderr}").splitlines() if line.strip()]
        unexpected = bool(self.expect_output) and not re2.search(self.expect_output, ended.stdout)
        return Observation(
            summary=f"{self.command[0]} in {pod.name}: {_verdict(ended, lines)}"
            + ("; the output is not what it should be" if unexpected else ""),
            data=answer,
            empty=ended.code == 0 and not lines,
            facts=tuple(line[:_LONGEST] for line in lines[-LISTED:]),
            value=float(ended.code) if ended.code is not None else None,
            breached=ended.code != 0 or unexpected,
            truncated="the output was cut" if ended.truncated else "",
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        where = self._place(inquiry)
        which = ["-c", self.container] if self.container else []
        target = where.workload or f"pod/{where.pod}"
        kubectl = clients.kubernetes.kubectl
        return (Reproduction(command=kubectl("-n", where.namespace, "exec", target, *which, "--", *self.command)),)

    def permissions(self) -> tuple[Permission, ...]:
        # a WebSocket begins with GET, for which servers before 1.35 look for `get` and later ones for `create` too
        run = Permission("", "pods/exec", ("create", "get"))
        kind = self.workload.partition("/")[0]
        kinds = (WORKLOADS[kind],) if kind in WORKLOADS else () if self.pod else tuple(WORKLOADS.values())
        return (run, *reads("pods", *kinds))

    def _place(self, inquiry: Inquiry) -> Target:
        where = place(inquiry, self.namespace, self.workload)
        return where.model_copy(update={"pod": self.pod, "workload": ""}) if self.pod else where


async def _ready_pod(kubernetes: Kubernetes, where: Target) -> Pod:
    """The named pod, else a ready one of the workload; raises Permanent where there is none."""
    if where.pod and not where.workload:
        return Pod(await kubernetes.get("pods", where.pod, namespace=where.namespace))
    workload = Object(await find_workload(kubernetes, where))
    labels = written(workload.spec.get("selector") or {})
    if not labels:
        raise Permanent(f"{where.workload} has no pods of its own to run a command in", Reason.BAD_REQUEST)
    pods: Sequence[Pod] = [
        Pod(item) for item in (await kubernetes.list("pods", namespace=where.namespace, labels=labels)).items
    ]
    ready = sorted((pod for pod in pods if pod.ready), key=lambda pod: pod.name)
    if not ready:
        raise Permanent(f"no pod of {where.workload} is ready to run a command in", Reason.NOT_FOUND)
    return ready[0]


def _verdict(ended: Execution, lines: Sequence[str]) -> str:
    if ended.code is None:
        return f"did not run: {ended.error}"
    if ended.error:
        return ended.error
    said = f": {lines[-1][:_LONGEST]}" if lines else ", no output"
    return f"{'succeeded' if ended.code == 0 else f'exit code {ended.code}'}{said}"
