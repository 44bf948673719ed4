"""The outside, as probes see it. The contracts are here, one module per kind of server beside it.

Every client owns its credentials, a cap on concurrent requests, single flight (identical requests in
flight are one), a short cache and a breaker. Every call has a timeout and raises only `Temporary` or
`Permanent`, whose message names what was asked and never holds a secret.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol, TypeVar

from responder.errors import Permanent, Reason, Trouble
from responder.model.evidence import HttpAnswer, Sample, Series
from responder.model.network import DnsAnswer, TcpAnswer, TlsAnswer, WebSocketAnswer

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


@dataclass(frozen=True)
class Execution:
    """How a command ended: `code` is its exit code, None where it did not even start, `error` says what went wrong.

    The output is cut where it is long: `truncated`.
    """

    code: int | None
    stdout: str = ""
    stderr: str = ""
    error: str = ""
    truncated: bool = False


REVIEWS: Mapping[str, str] = {
    "SelfSubjectAccessReview": "selfsubjectaccessreviews",
    "SelfSubjectRulesReview": "selfsubjectrulesreviews",
    "SubjectAccessReview": "subjectaccessreviews",
    "LocalSubjectAccessReview": "localsubjectaccessreviews",
}
"""The reviews of `authorization.k8s.io/v1` with their resources: questions that are sent as POST."""


class Exists(Permanent):
    """What should be created is there already."""


Document = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""A change: the fields that an object shall have (a merge patch, RFC 7396), or operations on it (RFC 6902)."""


class Kubernetes(Protocol):
    """One cluster, live or a snapshot. Resources are named as kubectl does: `pods`, `deployments.apps`.

    The API server's discovery decides which version of a group is asked. Probes only read; sinks and actions write.
    With `dry_run` the server checks a change as if it were made, and makes none.
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

    async def create(
        self, resource: str, body: Mapping[str, Any], *, namespace: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Make an object; raises Exists where one has its name, Permanent where nothing can be changed."""
        ...

    async def patch(
        self, resource: str, name: str, body: Document, *, namespace: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Change an object, or a part of it that is a resource of its own: `deployments.apps/scale`.

        Raises Permanent with Reason.NOT_FOUND.
        """
        ...

    async def evict(self, pod: str, *, namespace: str, uid: str = "", dry_run: bool = False) -> None:
        """Delete a pod as far as its PodDisruptionBudgets allow, and only the one with that uid.

        Raises Temporary with Reason.OVERLOADED while a budget forbids it.
        """
        ...

    async def version(self) -> str:
        """The server's version: `v1.31.2`."""
        ...

    async def review(self, kind: str, spec: Mapping[str, Any], *, namespace: str = "") -> Mapping[str, Any]:
        """The `status` of an access review, which changes nothing; a snapshot raises Permanent.

        `kind` is one of REVIEWS; `namespace` is for LocalSubjectAccessReview.
        """
        ...

    async def exec(
        self, namespace: str, pod: str, container: str, command: Sequence[str], *, timeout: float = 10
    ) -> Execution:
        """Run a command that the settings allow, as a list of arguments without a shell; else raises Permanent."""
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

    async def targets(self) -> Sequence[Mapping[str, Any]]:
        """What it scrapes, as `GET /api/v1/targets?state=active` returns it: `labels`, `health`, `lastError`…"""
        ...

    def link(self, expression: str, *, at: datetime | None = None, hours: float = 1) -> str:
        """The page that shows the expression's graph."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True)
class LogLine:
    """One entry of a log stream."""

    labels: Mapping[str, str]
    at: datetime
    text: str


class Loki(Protocol):
    """One Loki, or what speaks its HTTP API."""

    name: str
    url: str

    async def query(
        self, query: str, *, start: datetime, end: datetime, step: timedelta, limit: int, forward: bool = False
    ) -> Sequence[LogLine] | Sequence[Series]:
        """A range query: lines, the newest first unless `forward`, or the series of a metric query."""
        ...

    async def ready(self) -> str:
        """Its version, once it answers."""
        ...

    def link(self, query: str, *, start: datetime, end: datetime) -> str:
        """The page of Grafana's that shows the same, or empty where no Grafana is known."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


Row = Mapping[str, Any]
"""A row by column: numbers, texts, booleans, times as ISO 8601, durations in seconds, lists of these."""


@dataclass(frozen=True)
class Statement:
    """One SQL statement. `parameters` are texts, converted to what `$1`… want.

    It is left out where the server's version (150004) is not from `since` up to before `until`.
    """

    sql: str
    parameters: tuple[str, ...] = ()
    since: int = 0
    until: int = 10_000_000

    @property
    def for_every_version(self) -> bool:
        """Whether it is never left out."""
        return not self.since and self.until == type(self).until


@dataclass(frozen=True)
class Rows:
    """What a statement gave; `truncated` says what was left out."""

    columns: Sequence[str]
    rows: Sequence[Row]
    truncated: str = ""


class Postgres(Protocol):
    """One PostgreSQL server, asked in read-only transactions that end by themselves."""

    name: str
    place: str
    """`db.shop:5432`."""

    def psql(self, *statements: str) -> str:
        """The equivalent command, quoted for a shell, without the password."""
        ...

    async def read(self, statements: Mapping[str, Statement], *, limit: int = 200) -> Mapping[str, Rows | Trouble]:
        """All statements over one connection; one that fails is trouble in its place. Raises what connecting does."""
        ...

    async def close(self) -> None:
        """Give up what is under way."""
        ...


@dataclass(frozen=True)
class Reply:
    """A reply of Redis, as redis-py reads it, and how long it took in seconds."""

    value: Any
    seconds: float


class Redis(Protocol):
    """One Redis server, asked with commands that read only."""

    name: str
    place: str
    """`redis.shop:6379`."""

    def cli(self, *commands: str) -> str:
        """The equivalent commands, quoted for a shell, without the password."""
        ...

    async def ask(self, *commands: str) -> Sequence[Reply | Trouble]:
        """All commands over one connection; one that fails is trouble in its place. Raises what connecting does."""
        ...

    async def close(self) -> None:
        """Give up what is under way."""
        ...


class RedisDialer(Protocol):
    """Reaches Redis servers that a runbook names by address, without credentials."""

    def at(self, address: str) -> Redis:
        """The server at `host:port`; raises Permanent where that is no address to ask."""
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


class Network(Protocol):
    """Connections and names, asked from where Responder runs. That nobody answers is an answer.

    Addresses that hand out a cloud's credentials are refused with Permanent.
    """

    async def connect(self, host: str, port: int, *, timeout: float = 5) -> TcpAnswer:
        """Open a TCP connection and close it again."""
        ...

    async def resolve(self, name: str, kind: str = "A", server: str = "", *, timeout: float = 5) -> DnsAnswer:
        """Ask DNS: the system's servers with their search domains, or the one at the address `server`."""
        ...

    async def certificate(self, host: str, port: int, server_name: str = "", *, timeout: float = 5) -> TlsAnswer:
        """A TLS handshake, whatever the certificate is; `server_name` is the host's where none is given."""
        ...

    async def websocket(
        self,
        url: str,
        *,
        protocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        timeout: float = 5,
    ) -> WebSocketAnswer:
        """A WebSocket handshake with a `ws` or `wss` URL, closed again at once."""
        ...

    async def close(self) -> None:
        """Give up what is under way."""
        ...


class Alertmanager(Protocol):
    """Alertmanager's API v2, to reconcile what webhooks leave out. `url` is for people."""

    url: str

    async def alerts(self, *matchers: str) -> Sequence[Mapping[str, Any]]:
        """Alerts as `GET /api/v2/alerts` returns them, active and suppressed."""
        ...

    async def silence(self, labels: Mapping[str, str], *, until: datetime, reason: str, by: str, mark: str) -> str:
        """Silence the alerts with these labels until then; returns the silence's id. One with the same mark is
        prolonged.
        """
        ...

    async def unsilence(self, mark: str) -> int:
        """End the silences with that mark; returns how many there were."""
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
    loki_client: Loki | None = None
    databases: Mapping[str, Postgres] = field(default_factory=dict)
    redis_servers: Mapping[str, Redis] = field(default_factory=dict)
    redis_dialer: RedisDialer | None = None
    network_client: Network | None = None
    alertmanager_client: Alertmanager | None = None

    @property
    def sources(self) -> Mapping[str, bool]:
        """What is configured, as conditions of runbooks name it."""
        return {
            "kubernetes": self.kubernetes_client is not None,
            "prometheus": self.prometheus_client is not None,
            "loki": self.loki_client is not None,
            "postgres": bool(self.databases),
            "redis": bool(self.redis_servers),
            "alertmanager": self.alertmanager_client is not None,
        }

    @property
    def kubernetes(self) -> Kubernetes:
        """The cluster's API."""
        return self.kubernetes_client or self._absent("Kubernetes API", "kubernetes.kubeconfig")

    @property
    def prometheus(self) -> Prometheus:
        """The cluster's Prometheus."""
        return self.prometheus_client or self._absent("Prometheus", "prometheus.url")

    @property
    def loki(self) -> Loki:
        """The cluster's Loki."""
        return self.loki_client or self._absent("Loki", "loki.url")

    def postgres(self, name: str = "") -> Postgres:
        """The database server of that name; without a name the only one."""
        return _named(self.databases, name) or self._unknown("PostgreSQL server", "postgres", name, self.databases)

    def redis(self, name: str = "") -> Redis:
        """The Redis server of that name; without a name the only one."""
        return _named(self.redis_servers, name) or self._unknown("Redis server", "redis", name, self.redis_servers)

    def redis_at(self, address: str) -> Redis:
        """The Redis server at `host:port`: the one that is configured, else asked without credentials."""
        known = next((server for server in self.redis_servers.values() if server.place == address), None)
        if known is not None:
            return known
        return self.redis_dialer.at(address) if self.redis_dialer else self._absent("Redis server", "redis")

    def _unknown(self, what: str, setting: str, name: str, known: Mapping[str, object]) -> NoReturn:
        if not known:
            self._absent(what, setting)
        asked = f"no {what} is called {name!r}" if name else f"there are several: which {what} is meant?"
        raise Permanent(f"{asked} (there is {', '.join(sorted(known))})", Reason.NOT_CONFIGURED)

    @property
    def network(self) -> Network:
        """The network as Responder sees it."""
        if self.network_client is None:
            raise Permanent("the network cannot be asked from here", Reason.NOT_CONFIGURED)
        return self.network_client

    @property
    def alertmanager(self) -> Alertmanager:
        """The Alertmanager that sends the alerts."""
        return self.alertmanager_client or self._absent("Alertmanager", "alertmanager.url")

    def _absent(self, what: str, setting: str) -> NoReturn:
        where = f" for cluster {self.cluster!r}" if self.cluster else ""
        raise Permanent(f"no {what} is configured{where}: set {setting}", Reason.NOT_CONFIGURED)


def _named(known: Mapping[str, T], name: str) -> T | None:
    if name:
        return known.get(name)
    return next(iter(known.values())) if len(known) == 1 else None


def of_cluster(clusters: Mapping[str, Clients], cluster: str, http: Http) -> Clients:
    """The clients of a cluster, where one named "" alone serves all; of one that is not configured every question
    says so.
    """
    if cluster in clusters:
        return clusters[cluster]
    if len(clusters) == 1 and "" in clusters:
        return clusters[""]
    return Clients(cluster, http)
