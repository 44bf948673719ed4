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


class Target(Record):
    """Where an investigation looks; empty where unknown.

    Every value is a valid Kubernetes name; `workload` is `deployment/NAME`, `statefulset/NAME`,
    `daemonset/NAME`, `job/NAME` or `cronjob/NAME`.
    """

    cluster: str = ""
    namespace: str = ""
    workload: str = ""
    pod: str = ""
    container: str = ""
    node: str = ""
