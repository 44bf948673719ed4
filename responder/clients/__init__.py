"""The outside, as probes see it. The contracts are here, one module per kind of server beside it.

Every client owns its credentials, a cap on concurrent requests, single flight (identical requests in
flight are one), a short cache and a breaker. Every call has a timeout and raises only `Temporary` or
`Permanent`, whose message names what was asked and never holds a secret.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from responder.errors import Permanent, Reason
from responder.model.evidence import HttpAnswer, Sample, Series

T = TypeVar("T")


class Answer(list[T]):
    """What a query gave, with what the server warned of: stores that did not answer, data left out."""

    def __init__(self, items: Iterable[T] = (), warnings: Iterable[str] = ()) -> None:
        super().__init__(items)
        self.warnings = tuple(warnings)


def warnings_of(answer: Sequence[object]) -> tuple[str, ...]:
    """The warnings of an answer; none where it is a plain sequence."""
    return answer.warnings if isinstance(answer, Answer) else ()


@dataclass(frozen=True)
class Listing:
    """A list of Kubernetes objects; every item has `apiVersion` and `kind`. `truncated` says what is missing."""

    items: Sequence[dict[str, Any]]
    truncated: str = ""


class Exists(Permanent):
    """What should be created is there already."""


class Kubernetes(Protocol):
    """One cluster, live or a snapshot. Resources are named as kubectl does: `pods`, `deployments.apps`.

    The API server's discovery decides which version of a group is asked. Probes only read; what writes are sinks.
    """

    name: str

    def kubectl(self, *arguments: str) -> str:
        """The equivalent command, quoted for a shell: `kubectl --context prod -n shop get pods`."""
        ...

    async def list(
        self, resource: str, *, namespace: str = "", labels: str = "", fields: str = "", limit: int = 0
    ) -> Listing:
        """List a resource; all namespaces where none is given. `limit` 0 is the client's own bound."""
        ...

    async def get(self, resource: str, name: str, *, namespace: str = "") -> dict[str, Any]:
        """One object; raises Permanent with Reason.NOT_FOUND."""
        ...

    async def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail: int = 500,
        since: timedelta | None = None,
    ) -> str:
        """The end of a container's log, each line with its timestamp."""
        ...

    async def create(self, resource: str, body: Mapping[str, Any], *, namespace: str = "") -> dict[str, Any]:
        """Make an object; raises Exists where one has its name, Permanent where nothing can be changed."""
        ...

    async def patch(self, resource: str, name: str, body: Mapping[str, Any], *, namespace: str = "") -> dict[str, Any]:
        """Change the fields of an object (a merge patch); raises Permanent with Reason.NOT_FOUND."""
        ...

    async def version(self) -> str:
        """The server's version: `v1.31.2`."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class Prometheus(Protocol):
    """One Prometheus, or what speaks its HTTP API."""

    name: str
    url: str

    async def query(self, expression: str, *, at: datetime | None = None) -> Sequence[Sample]:
        """An instant query that answers with a vector or a scalar."""
        ...

    async def range(self, expression: str, *, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        """A range query."""
        ...

    async def rules(self) -> Sequence[Mapping[str, Any]]:
        """The alerting rules, as `GET /api/v1/rules?type=alert` returns them: `name`, `query`, `labels`…"""
        ...

    def link(self, expression: str, *, at: datetime | None = None, hours: float = 1) -> str:
        """The page that shows the expression's graph."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class Http(Protocol):
    """Plain HTTP requests that a runbook asks for. Never follows a redirect to another host."""

    async def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 65536
    ) -> HttpAnswer:
        """GET; any status is an answer. Raises Temporary if there is none."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class Alertmanager(Protocol):
    """Alertmanager's API v2, to reconcile what webhooks leave out."""

    async def alerts(self, *matchers: str) -> Sequence[Mapping[str, Any]]:
        """Alerts as `GET /api/v2/alerts` returns them, active and suppressed."""
        ...

    async def silence(self, labels: Mapping[str, str], *, until: datetime, reason: str, by: str, mark: str) -> str:
        """Silence the alerts with these labels until then; returns the silence's id. One with the same mark is
        prolonged.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True)
class Clients:
    """What a probe may use for the incident's cluster. Asking for one that is not configured raises Permanent."""

    cluster: str
    http: Http
    kubernetes_client: Kubernetes | None = None
    prometheus_client: Prometheus | None = None

    @property
    def kubernetes(self) -> Kubernetes:
        """The cluster's API."""
        return self.kubernetes_client or self._absent("Kubernetes API", "kubernetes.kubeconfig")

    @property
    def prometheus(self) -> Prometheus:
        """The cluster's Prometheus."""
        return self.prometheus_client or self._absent("Prometheus", "prometheus.url")

    def _absent(self, what: str, setting: str) -> Any:
        where = f" for cluster {self.cluster!r}" if self.cluster else ""
        raise Permanent(f"no {what} is configured{where}: set {setting}", Reason.NOT_CONFIGURED)


def of_cluster(clusters: Mapping[str, Clients], cluster: str, http: Http) -> Clients:
    """The clients of a cluster, where one named "" alone serves all; of one that is not configured every question
    says so.
    """
    if cluster in clusters:
        return clusters[cluster]
    if len(clusters) == 1 and "" in clusters:
        return clusters[""]
    return Clients(cluster, http)
