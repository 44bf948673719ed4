"""The broken thing: what an alert or a finding is about."""

from responder.model.record import Record


class Subject(Record):
    """An object, named as its own world names it: kind `Pod`, `Deployment`, `Node`, `Namespace`…

    `kind` is `Unknown` and `name` empty where nothing tells what is broken.
    """

    kind: str
    name: str
    namespace: str = ""
    container: str = ""

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}" if self.name else self.kind.lower()


def same(one: Subject, other: Subject) -> bool:
    """Whether both are one object; a container counts where both name one."""
    if (one.kind.lower(), one.namespace, one.name) != (other.kind.lower(), other.namespace, other.name):
        return False
    return "" in (one.container, other.container) or one.container == other.container


class Target(Record):
    """Where an investigation looks; empty where unknown.

    Every value is a valid Kubernetes name; `workload` is `deployment/NAME`, `statefulset/NAME`,
    `daemonset/NAME`, `job/NAME` or `cronjob/NAME`. `instances` are the hosts in the label `instance` of what runs
    on the node, its kubelet and its exporters: its name and its addresses.
    """

    cluster: str = ""
    namespace: str = ""
    workload: str = ""
    pod: str = ""
    container: str = ""
    node: str = ""
    instances: tuple[str, ...] = ()

    @property
    def subject(self) -> Subject:
        """The object that is looked at: the workload, else the pod, the node, the namespace."""
        kind, _, name = self.workload.partition("/")
        if name or self.pod:
            kind, name = (kind, name) if name else ("Pod", self.pod)
            return Subject(kind=kind, name=name, namespace=self.namespace, container=self.container)
        if self.node:
            return Subject(kind="Node", name=self.node)
        return Subject(kind="Namespace" if self.namespace else "Unknown", name=self.namespace)

    def at(self, subject: Subject) -> "Target":
        """The same cluster, at this object."""
        kind = subject.kind.lower()
        return Target(
            cluster=self.cluster,
            namespace=subject.namespace,
            workload="" if kind in ("pod", "node") else f"{kind}/{subject.name}",
            pod=subject.name if kind == "pod" else "",
            container=subject.container,
            node=subject.name if kind == "node" else "",
        )
