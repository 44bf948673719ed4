"""Workloads whose settings of a database are wrong: user, password, name, port; or whose pool is used up."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from responder.detectors import Case
from responder.detectors._databases import KINDS, MYSQL, Databases, Kind, Server
from responder.detectors._scene import Complaint, Scene
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.detectors.databases import MANY, all_refused, quoted
from responder.model.failures import FailureKind
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.kubernetes import Object, mapping, time, whole
from responder.model.subject import Subject
from responder.model.told import environment


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
_WHERE = "The workload is told a port, or a host, on which the database does not listen."
MYSQL_PORT = _cause(
    "mysql-invalid-port", "It calls MySQL at a wrong port", _WHERE,
    "Compare the workload's settings with kubectl get service", "Correct the port in the workload's settings",
)  # fmt: skip
PORT = _cause(
    "database-invalid-port", "It calls the database at a wrong port", _WHERE,
    "Compare the workload's settings with kubectl get service", "Correct the port in the workload's settings",
)  # fmt: skip
DATABASE = _cause(
    "database-name-invalid", "It asks for a database that does not exist",
    "The server answers and knows no database of that name.",
    "The workload's log; list the server's databases", "Correct the name, or create the database",
)  # fmt: skip
POOL = _cause(
    "connection-pool-exhausted", "Its connection pool is exhausted",
    "All connections of the workload's own pool are in use, mostly since queries take long.",
    "The pool's metrics; the database's running statements", "Look for slow statements and leaks; enlarge the pool",
    generic=True,
)  # fmt: skip
CAUSES = (MYSQL_LOGIN, LOGIN, MYSQL_PORT, PORT, DATABASE, POOL)

_LOGIN = re.compile(
    r"access denied for user|password authentication failed|ER_ACCESS_DENIED|error 1045\b|28P01|ACCESS_REFUSED"
    r"|role \"[^\"]*\" does not exist|login failed for user|WRONGPASS|NOAUTH|invalid username-password pair"
    r"|MongoCredential|is not allowed to connect to this",
    re.IGNORECASE,
)
_NOT_THERE = (FailureKind.REFUSED, FailureKind.TIMED_OUT, FailureKind.UNREACHABLE, FailureKind.RESET)
_PORT_VARIABLE = re.compile(r"(?:^|[_.-])PORT$", re.IGNORECASE)
_GENERIC = re.compile(r"(?:^|[_.-])(?:DB|DATABASE|DATASOURCE|JDBC)(?:[_.-]|$)", re.IGNORECASE)
SETTLED = timedelta(minutes=1)
"""Callers may fail so long after a server is ready: they wait between their attempts."""


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    databases = Databases(scene)
    told: set[Subject] = set()
    for finding in (*_refused(scene, databases), *_wrong_ports(scene, databases)):
        if finding.subject not in told:
            told.add(finding.subject)
            yield finding
    for finding in (*_unreached(scene, databases), *_pools(scene)):
        if finding.subject not in told:
            told.add(finding.subject)
            yield finding


def _by_workload(
    scene: Scene, databases: Databases, kinds: Sequence[FailureKind]
) -> Iterator[tuple[Subject, Sequence[Complaint]]]:
    """The complaints of some kinds by who has them, servers left out: those tell of their callers' failures."""
    told: dict[Subject, list[Complaint]] = {}
    for item in scene.complaints:
        if item.failure.kind in kinds and databases.of(item.workload) is None:
            told.setdefault(item.workload, []).append(item)
    yield from told.items()


def _refused(scene: Scene, databases: Databases) -> Iterator[Finding]:
    """Those that a database knows nothing of, unless it is so with all of them."""
    denied = {
        workload: words
        for workload, told in _by_workload(scene, databases, (FailureKind.AUTHENTICATION,))
        if (words := [item for item in told if _LOGIN.search(item.failure.text)])
    }
    for workload, words in denied.items():
        server = databases.about(words[0])
        alike = [other for other, said in denied.items() if databases.about(said[0]) == server]
        if server and all_refused(databases, server, alike):
            continue
        mysql = server.kind is MYSQL if server else bool(MYSQL.words.search(words[0].failure.text))
        title = "MySQL" if mysql else "the database"
        yield found(
            MYSQL_LOGIN if mysql else LOGIN,
            workload,
            CERTAIN if server and len(alike) == 1 and databases.clients(server) - {workload} else LIKELY,
            f"{workload} cannot log in to {title}: {quote(words[0].failure.text)}",
            quoted(words),
            next_steps=[f"kubectl -n {scene.namespace} get {workload} -o yaml | grep -B2 -A6 -i -E 'user|pass'"],
            since=words[0].last,
        )
    for workload, told in _by_workload(scene, databases, (FailureKind.NO_SUCH_DATABASE,)):
        yield found(DATABASE, workload, LIKELY, f"{workload}: {quote(told[0].failure.text)}", quoted(told))


def _pools(scene: Scene) -> Iterator[Finding]:
    told: dict[Subject, list[Complaint]] = {}
    for item in scene.complaints:
        if item.failure.kind is FailureKind.POOL_EXHAUSTED:
            told.setdefault(item.workload, []).append(item)
    for workload, said in told.items():
        headline = f"The connection pool of {workload} is exhausted: {quote(said[0].failure.text)}"
        yield found(POOL, workload, POSSIBLE, headline, quoted(said))


def _wrong_ports(scene: Scene, databases: Databases) -> Iterator[Finding]:
    """Callers that are told another port than the server's service has, or say that they called one."""
    for server in databases.servers:
        if not server.ports:
            continue
        wrong = [(item.owner, item.variable, item.value, item.port) for item in databases.addresses(server)]
        wrong += _lone_ports(scene, databases, server)
        wrong = [item for item in wrong if item[3] is not None and item[3] not in server.ports]
        said = [item for item in scene.complaints if _at_wrong_port(scene, server, item)]
        owners = [item[0].subject for item in wrong] + [item.workload for item in said]
        if server.kind is not MYSQL:
            # a wrong port of anything else is told as a wrong address
            owners = [item for item in owners if item not in databases.told(server)]
        for workload in dict.fromkeys(owners):
            own = [item for item in wrong if item[0].subject == workload]
            complaints = [item for item in said if item.workload == workload] or _vague(
                scene, databases, server, workload
            )
            asked = own[0][3] if own else complaints[0].failure.port
            reasons = [because(f"{workload} has {name}={quote(value)}", item) for item, name, value, _ in own[:2]]
            yield _port_finding(workload, server, asked, [*reasons, *quoted(complaints)], bool(own and complaints))


def _at_wrong_port(scene: Scene, server: Server, complaint: Complaint) -> bool:
    failed = complaint.failure
    return (
        failed.kind in _NOT_THERE
        and failed.port is not None
        and failed.port not in server.ports
        and scene.graph.service(failed.host) in server.services
        and complaint.workload != server.workload.subject
    )


def _lone_ports(scene: Scene, databases: Databases, server: Server) -> Iterator[tuple[Object, str, str, int | None]]:
    """Variables with a database's port whose host is not known, since a secret holds it."""
    others = [item.kind for item in databases.servers if item is not server]
    for workload in scene.graph.workloads:
        if databases.of(workload.subject):
            continue
        for container in workload.template_containers:
            for name, (value, _) in environment(scene.picture, workload, container).items():
                port = whole(value.strip())
                kind = next((item for item in KINDS if item.name in name.lower()), None)
                meant = kind is server.kind or (kind is None and not others and _GENERIC.search(name))
                if port is not None and meant and _PORT_VARIABLE.search(name):
                    yield workload, name, value, port


def _vague(scene: Scene, databases: Databases, server: Server | None, workload: Subject) -> Sequence[Complaint]:
    """What a workload says of a server that it cannot reach, without a word of where."""
    return [
        item
        for item in scene.complaints
        if item.workload == workload
        and item.failure.kind in _NOT_THERE
        and item.failure.port is None
        and databases.about(item) == server
    ]


def _port_finding(workload: Subject, server: Server, asked: int | None, reasons: list[Because], sure: bool) -> Finding:
    service, ports = server.services[0], server.ports
    reasons.append(because(f"service/{service.name} has the {plural(len(ports), 'port')} {listed(ports)}", service))
    name = "MySQL" if server.kind is MYSQL else server.kind.name
    headline = f"{workload} calls {name} at {service.name}:{asked}; its service has port {listed(ports)}"
    return found(_port_cause(server.kind), workload, CERTAIN if sure else LIKELY, headline, reasons)


def _port_cause(kind: Kind) -> Cause:
    return MYSQL_PORT if kind is MYSQL else PORT


def _unreached(scene: Scene, databases: Databases) -> Iterator[Finding]:
    """Those that reach no database where it is ready and others reach it: their settings lead elsewhere."""
    for server in databases.servers:
        ready = _ready_since(scene, server)
        if ready is None or not server.services:
            continue
        told = _told_after(scene, databases, server, ready)
        if all_refused(databases, server, list(told)):
            continue
        others = databases.clients(server) - set(told)
        for workload, said in told.items():
            name = "MySQL" if server.kind is MYSQL else server.kind.name
            text = quote(said[0].failure.text)
            headline = f"{workload} does not reach {name}, although {server.workload.subject} is ready: {text}"
            reasons = [*quoted(said), because(f"{server.workload.subject} is ready", server.workload)]
            if others:
                reasons.append(because(f"{listed(sorted(map(str, others)))} do not complain", server.workload))
            sure = LIKELY if others and said[0].failure.kind is not FailureKind.RESET else POSSIBLE
            yield found(_port_cause(server.kind), workload, sure, headline, reasons, since=said[0].last)
    yield from _unreached_unknown(scene, databases)


def _told_after(
    scene: Scene, databases: Databases, server: Server | None, ready: datetime
) -> dict[Subject, Sequence[Complaint]]:
    """Who says, after it was ready, that a server (or one that cannot be told) is not where it is looked for."""
    told = {
        workload: said
        for workload in dict.fromkeys(item.workload for item in scene.complaints)
        if databases.of(workload) is None and (said := _vague(scene, databases, server, workload))
    }
    return {
        workload: said
        for workload, said in told.items()
        if any(item.last is None or item.last > ready + SETTLED for item in said)
    }


def _unreached_unknown(scene: Scene, databases: Databases) -> Iterator[Finding]:
    """As above where it cannot be told which of several servers was meant: all of its kind are ready."""
    for kind in KINDS:
        servers = [item for item in databases.servers if item.kind is kind]
        since = [_ready_since(scene, item) for item in servers]
        if len(servers) < 2 or any(at is None for at in since):
            continue
        told = _told_after(scene, databases, None, max(at for at in since if at))
        told = {name: said for name, said in told.items() if any(kind.words.search(i.failure.text) for i in said)}
        if len(told) >= MANY:
            continue
        for workload, said in told.items():
            headline = f"{workload} does not reach its database, although all of {kind.name} are ready"
            reasons = [*quoted(said), because(f"{listed(item.workload.subject for item in servers)} are ready")]
            yield found(_port_cause(kind), workload, LIKELY, f"{headline}: {quote(said[0].failure.text)}", reasons)


def _ready_since(scene: Scene, server: Server) -> datetime | None:
    """Since when all pods of a server are ready; None where they are not."""
    pods = scene.graph.pods_of(server.workload)
    if not pods or scene.ails(server.workload) or not all(pod.ready for pod in pods):
        return None
    moments = [time(mapping(pod.conditions.get("Ready")).get("lastTransitionTime")) or pod.created for pod in pods]
    return max((at for at in moments if at), default=scene.started_at)
