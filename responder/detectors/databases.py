"""Databases: callers with wrong settings, and servers that take no more sessions or no writes.

What callers and servers log is told by the servers' own error texts: see `responder.model.failures`.
"""

import re
from collections.abc import Iterator, Sequence

from responder.detectors import Case
from responder.detectors._scene import Complaint, Scene
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.failures import FailureKind
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.kubernetes import Object, mappings, whole
from responder.model.subject import Subject
from responder.model.told import Address


def _cause(slug: str, title: str, meaning: str, confirm: str, fix: str, *, generic: bool = False) -> Cause:
    return Cause(slug=slug, title=title, meaning=meaning, confirm=confirm, fix=fix, generic=generic)


_WHO = "The database refuses the user or password that the workload has."
_SECRET = "Correct the Secret or variable that holds user and password, and restart the workload"  # noqa: S105 - advice
MYSQL_LOGIN = _cause(
    "mysql-invalid-credentials", "MySQL refuses its user or password", _WHO,
    "The log: Access denied for user; mysql -u USER -p from a pod of the workload", _SECRET,
)  # fmt: skip
LOGIN = _cause(
    "database-invalid-credentials", "The database refuses its user or password", _WHO,
    "The workload's log; log in with the same user from a pod of it", _SECRET,
)  # fmt: skip
MYSQL_PORT = _cause(
    "mysql-invalid-port", "It calls MySQL at a wrong port",
    "The workload is told a port that the database's service does not have.",
    "Compare the workload's settings with kubectl get service", "Correct the port in the workload's settings",
)  # fmt: skip
DATABASE = _cause(
    "database-name-invalid", "It asks for a database that does not exist",
    "The server answers and knows no database of that name.",
    "The workload's log; list the server's databases", "Correct the name, or create the database",
)  # fmt: skip
SESSIONS = _cause(
    "db-connection-exhaustion", "The database takes no more connections",
    "All sessions that the server allows are in use; further ones are refused.",
    "SHOW PROCESSLIST and max_connections, or pg_stat_activity",
    "Find who holds the sessions and shrink its pool; raise the limit only with the memory to match",
)  # fmt: skip
POOL = _cause(
    "connection-pool-exhausted", "Its connection pool is exhausted",
    "All connections of the workload's own pool are in use, mostly since queries take long.",
    "The pool's metrics; the database's running statements", "Look for slow statements and leaks; enlarge the pool",
    generic=True,
)  # fmt: skip
READ_ONLY = _cause(
    "db-read-only", "The database takes no writes",
    "The server is set read-only, or is a replica: reads work, writes fail.",
    "SHOW VARIABLES LIKE '%read_only%', or SHOW default_transaction_read_only", "Make it writable, or call the primary",
)  # fmt: skip
CAUSES = (MYSQL_LOGIN, LOGIN, MYSQL_PORT, DATABASE, SESSIONS, POOL, READ_ONLY)

PORT = 3306
_SERVER = re.compile(r"(?:^|[/-])(?:mysql|mariadb|percona|postgres(?:ql)?|mongo(?:db)?|redis|valkey|cockroach|mssql)\b")
_LOGIN = re.compile(
    r"access denied for user|password authentication failed|ER_ACCESS_DENIED|error 1045\b"
    r"|role \"[^\"]*\" does not exist|login failed for user|SASL|WRONGPASS|NOAUTH|invalid username-password pair",
    re.IGNORECASE,
)
_MYSQL = re.compile(r"mysql|mariadb|access denied for user|ER_ACCESS_DENIED|1045", re.IGNORECASE)
_NOT_THERE = (FailureKind.REFUSED, FailureKind.TIMED_OUT, FailureKind.UNREACHABLE)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    servers = [item for item in scene.graph.workloads if _is_server(item)]
    findings = [*_callers(scene, servers), *_servers(scene, servers), *_ports(scene)]
    yield from findings
    if servers and scene.logs and not findings:
        names = listed(item.subject for item in servers)
        yield Cleared(text=f"databases ({names}; nobody complains of them)", evidence=servers[0].evidence)


def _callers(scene: Scene, servers: Sequence[Object]) -> Iterator[Finding]:
    """What is wrong with the settings or the pool of those that call."""
    for workload, told in _by_workload(scene, FailureKind.AUTHENTICATION, servers):
        if words := [item for item in told if _LOGIN.search(item.failure.text)]:
            mysql = any(_MYSQL.search(item.failure.text) for item in words)
            title = "MySQL" if mysql else "the database"
            headline = f"{workload} cannot log in to {title}: {quote(words[0].failure.text)}"
            yield found(
                MYSQL_LOGIN if mysql else LOGIN, workload, LIKELY, headline, _quoted(words),
                next_steps=[f"kubectl -n {scene.namespace} get {workload} -o yaml | grep -B2 -A6 -i -E 'user|pass'"],
            )  # fmt: skip
    for workload, told in _by_workload(scene, FailureKind.NO_SUCH_DATABASE, servers):
        yield found(DATABASE, workload, LIKELY, f"{workload}: {quote(told[0].failure.text)}", _quoted(told))
    for workload, told in _by_workload(scene, FailureKind.POOL_EXHAUSTED, servers):
        headline = f"The connection pool of {workload} is exhausted: {quote(told[0].failure.text)}"
        yield found(POOL, workload, POSSIBLE, headline, _quoted(told))


def _servers(scene: Scene, servers: Sequence[Object]) -> Iterator[Finding]:
    """What is wrong with a server, as those that call it or the server itself say."""
    for kind, cause, words in (
        (FailureKind.TOO_MANY_CONNECTIONS, SESSIONS, "takes no more connections"),
        (FailureKind.READ_ONLY, READ_ONLY, "takes no writes"),
    ):
        told = [item for item in scene.complaints if item.failure.kind is kind]
        by_server: dict[Subject, list[Complaint]] = {}
        for item in told:
            if server := _server_of(scene, item, servers):
                by_server.setdefault(server, []).append(item)
        for server, complaints in by_server.items():
            callers = list(dict.fromkeys(item.workload for item in complaints if item.workload != server))
            said = f"{listed(callers)} says" if callers else "it says"
            headline = f"{server} {words}: {said} {quote(complaints[0].failure.text)}"
            yield found(cause, server, LIKELY, headline, _quoted(complaints), suffering=callers)


def _ports(scene: Scene) -> Iterator[Finding]:
    """Callers that are told another port than MySQL's service has, or say that they called one."""
    for service in scene.graph.services:
        ports = [whole(port.get("port")) for port in mappings(service.spec.get("ports"))]
        if PORT not in ports:
            continue
        wrong = [item for item in scene.graph.callers.get(service.name, ()) if item.port not in (None, *ports)]
        said = [
            item
            for item in scene.complaints
            if item.failure.kind in _NOT_THERE
            and item.failure.host.partition(".")[0] == service.name
            and item.failure.port not in (None, *ports)
        ]
        for workload in dict.fromkeys([*(item.owner.subject for item in wrong), *(item.workload for item in said)]):
            yield _wrong_port(workload, service, ports, wrong, said)


def _wrong_port(
    workload: Subject,
    service: Object,
    ports: Sequence[int | None],
    wrong: Sequence[Address],
    said: Sequence[Complaint],
) -> Finding:
    own = [item for item in wrong if item.owner.subject == workload]
    complaints = [item for item in said if item.workload == workload]
    asked = own[0].port if own else complaints[0].failure.port
    reasons = [because(f"{workload} has {item.variable}={quote(item.value)}", item.owner) for item in own[:2]]
    reasons += _quoted(complaints)
    reasons.append(because(f"service/{service.name} has the {plural(len(ports), 'port')} {listed(ports)}", service))
    headline = f"{workload} calls MySQL at {service.name}:{asked}; its service has port {listed(ports)}"
    return found(MYSQL_PORT, workload, CERTAIN if own and complaints else LIKELY, headline, reasons)


def _by_workload(
    scene: Scene, kind: FailureKind, servers: Sequence[Object]
) -> Iterator[tuple[Subject, Sequence[Complaint]]]:
    """The complaints of one kind by who has them, servers left out: those tell of their callers' failures."""
    themselves = {item.subject for item in servers}
    told: dict[Subject, list[Complaint]] = {}
    for item in scene.complaints:
        if item.failure.kind is kind and item.workload not in themselves:
            told.setdefault(item.workload, []).append(item)
    yield from told.items()


def _server_of(scene: Scene, complaint: Complaint, servers: Sequence[Object]) -> Subject | None:
    """The server that a complaint is about: itself, the one it names, the one that it is told to call, the only one."""
    if any(item.subject == complaint.workload for item in servers):
        return complaint.workload
    service = scene.graph.service(complaint.failure.host) if complaint.failure.host else None
    if service and (behind := scene.graph.workloads_behind(service)):
        return behind[0].subject
    called = {
        host
        for host, items in scene.graph.callers.items()
        for item in items
        if item.owner.subject == complaint.workload
    }
    known = [
        item for item in servers if any(service.name in called for service in scene.graph.services_of(item))
    ] or servers
    return known[0].subject if len(known) == 1 else None


def _is_server(workload: Object) -> bool:
    return any(
        _SERVER.search(container.image.rpartition(":")[0] or container.image)
        for container in workload.template_containers
    )


def _quoted(complaints: Sequence[Complaint]) -> list[Because]:
    return [
        because(f"{item.workload}: {quote(item.failure.text)} (×{item.count})", item.evidence)
        for item in sorted(complaints, key=lambda item: -item.count)[:3]
    ]
