"""The databases and brokers of a namespace: which workloads are some, who calls them, whom a complaint is about."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from responder.detectors._scene import Complaint, Scene
from responder.model.kubernetes import Object, mapping, mappings, whole
from responder.model.subject import Subject
from responder.model.told import Address, environment, files


@dataclass(frozen=True)
class Kind:
    """A sort of server: its name, its images, its usual port, how drivers speak of it."""

    name: str
    images: re.Pattern[str]
    port: int
    words: re.Pattern[str]


def _kind(name: str, images: str, port: int, words: str) -> Kind:
    image = re.compile(rf"(?:^|[/-])(?:{images})(?:-?(?:server|ha|cluster|community))?$")
    return Kind(name, image, port, re.compile(words, re.IGNORECASE))


MYSQL = _kind(
    "mysql",
    r"mysql|mariadb|mariadb-galera|percona|percona-server|percona-xtradb|xtradb|tidb",
    3306,
    r"mysql|mariadb|communications link failure|CommunicationsException|access denied for user|\bER_[A-Z_]+\b"
    r"|data source rejected|error (?:1040|1045|1049|1290)\b",
)
POSTGRES = _kind(
    "postgres",
    r"postgres|postgresql|postgis|timescaledb|spilo-\d+|pgvector|cockroach|cockroachdb",
    5432,
    r"postgres|PSQLException|\bpq: |pgx|\bpg_hba|password authentication failed|remaining connection slots"
    r"|too many clients already|\b(?:28P01|3D000|53300|25006)\b|role \"[^\"]*\" does not exist"
    r"|database \"[^\"]*\" does not exist|read-only transaction",
)
MONGO = _kind(
    "mongodb", r"mongo|mongodb|percona-server-mongodb", 27017, r"mongo|NotWritablePrimary|not master|SCRAM-SHA"
)
REDIS = _kind(
    "redis", r"redis|redis-stack|valkey|keydb|dragonfly", 6379, r"redis|lettuce|jedis|NOAUTH|WRONGPASS|READONLY "
)
RABBIT = _kind("rabbitmq", r"rabbitmq", 5672, r"rabbit|amqp|ACCESS_REFUSED")
MSSQL = _kind("mssql", r"mssql|sqlserver|azure-sql-edge", 1433, r"SQLServerException|mssql|login failed for user")
KINDS = (MYSQL, POSTGRES, MONGO, REDIS, RABBIT, MSSQL)
_REPLICA = re.compile(r"replica|slave|secondary|standby|read(?:er|only)?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Server:
    """A workload that is a database or broker, with the services that lead to it."""

    workload: Object
    kind: Kind
    services: tuple[Object, ...]

    @property
    def ports(self) -> Sequence[int]:
        """The ports of its services."""
        found = (whole(port.get("port")) for item in self.services for port in mappings(item.spec.get("ports")))
        return list(dict.fromkeys(port for port in found if port is not None))

    @property
    def is_replica(self) -> bool:
        """Whether it is named as one that is meant to be read only."""
        return bool(_REPLICA.search(self.workload.name))


class Databases:
    """All of them, with who calls them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    @cached_property
    def servers(self) -> Sequence[Server]:
        """The servers, by their images or by the usual port of a service that bears their kind's name."""
        return [
            Server(item, kind, tuple(self._scene.graph.services_of(item)))
            for item in self._scene.graph.workloads
            if (kind := self._kind_of(item))
        ]

    def _kind_of(self, workload: Object) -> Kind | None:
        for container in workload.template_containers:
            image = container.image.partition("@")[0]
            name = image.rpartition(":")[0] if ":" in image.rpartition("/")[2] else image
            for kind in KINDS:
                if not container.init and kind.images.search(name):
                    return kind
        for kind in KINDS:
            if kind.name in workload.name and any(
                whole(port.get("port")) == kind.port
                for service in self._scene.graph.services_of(workload)
                for port in mappings(service.spec.get("ports"))
            ):
                return kind
        return None

    def of(self, subject: Subject) -> Server | None:
        """The server that a workload is."""
        return next((item for item in self.servers if item.workload.subject == subject), None)

    def about(self, complaint: Complaint) -> Server | None:
        """The server that a complaint is about: itself, the one it names, the only one that fits."""
        if own := self.of(complaint.workload):
            return own
        if complaint.failure.host and (service := self._scene.graph.service(complaint.failure.host)):
            return next((item for item in self.servers if service in item.services), None)
        if complaint.failure.host and self._scene.graph.is_internal(complaint.failure.host):
            return None
        spoken = [kind for kind in KINDS if kind.words.search(complaint.failure.text)]
        fitting = [item for item in self.servers if item.kind in spoken]
        called = [item for item in fitting if complaint.workload in self.told(item)]
        core = self._scene.graph.core(complaint.workload.name)
        namesakes = [item for item in fitting if core in self._scene.graph.core(item.workload.name)]
        for candidates in (called, namesakes, fitting):
            writable = [item for item in candidates if not item.is_replica] or candidates
            if len(writable) == 1:
                return writable[0]
        return None

    def addresses(self, server: Server) -> Iterator[Address]:
        """Where others are told to call a server."""
        for service in server.services:
            for address in self._scene.graph.callers.get(service.name, ()):
                if address.owner.subject != server.workload.subject:
                    yield address

    def told(self, server: Server) -> set[Subject]:
        """Who is told to call a server by its name."""
        return {item.owner.subject for item in self.addresses(server)}

    def clients(self, server: Server) -> set[Subject]:
        """Who calls a server as far as can be told: by address, by the names of its variables and what it refers to."""
        return self.told(server) | {
            item.subject
            for item in self._scene.graph.workloads
            if item.subject != server.workload.subject and self._speaks_of(item, server)
        }

    def _speaks_of(self, workload: Object, server: Server) -> bool:
        names = {server.kind.name, *(service.name for service in server.services)}
        return any(name in word for word in _words(workload) for name in names)

    def told_texts(self, server: Server) -> Iterator[tuple[str, Object]]:
        """How a server is started and configured: words, variables and files, with what holds them."""
        workload = server.workload
        for container in workload.template_containers:
            for field in ("command", "args"):
                words = container.spec.get(field)
                for word in words if isinstance(words, list) else []:
                    yield str(word), workload
            for name, (value, source) in environment(self._scene.picture, workload, container).items():
                yield f"{name}={value}", source
        for file in files(self._scene.picture, workload):
            yield file.text, file.source


def _words(workload: Object) -> Iterator[str]:
    """The names of a workload's variables and of the secrets and config maps that they come from, lower case."""
    for container in workload.template_containers:
        for origin in mappings(container.spec.get("envFrom")):
            for field in ("secretRef", "configMapRef"):
                yield str(mapping(origin.get(field)).get("name") or "").lower()
        for item in mappings(container.spec.get("env")):
            yield str(item.get("name") or "").lower()
            source = mapping(item.get("valueFrom"))
            for field in ("secretKeyRef", "configMapKeyRef"):
                yield str(mapping(source.get(field)).get("name") or "").lower()
