"""Databases that take no more sessions or no writes: what they and their callers say, and how they are configured.

What servers answer is told by their own error texts: see `responder.model.failures`.
"""

import re
from collections.abc import Iterator, Sequence

from responder.detectors import Case
from responder.detectors._databases import MYSQL, POSTGRES, Databases, Server
from responder.detectors._scene import Complaint, Scene
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.failures import FailureKind
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.subject import Subject

SESSIONS = Cause(
    slug="db-connection-exhaustion",
    title="The database takes no more connections",
    meaning="All sessions that the server allows are in use; further ones are refused.",
    confirm="SHOW PROCESSLIST and max_connections, or pg_stat_activity",
    fix="Find who holds the sessions and shrink its pool; raise the limit only with the memory to match",
    reference="https://dev.mysql.com/doc/refman/8.4/en/too-many-connections.html",
)
READ_ONLY = Cause(
    slug="db-read-only",
    title="The database takes no writes",
    meaning="The server is set read-only, or is a replica: reads work, writes fail.",
    confirm="SHOW VARIABLES LIKE '%read_only%', or SHOW default_transaction_read_only",
    fix="Make it writable, or call the primary",
    reference="https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_read_only",
)
LOCKED_OUT = Cause(
    slug="database-refuses-its-clients",
    title="The database refuses the users of all who call it",
    meaning="Every caller fails to log in: users or passwords were changed on the server, or its data was made anew.",
    confirm="Log in with the user of one of the callers; look at the server's log and volume",
    fix="Restore users and passwords on the server, or give all callers the new ones",
)
CAUSES = (SESSIONS, READ_ONLY, LOCKED_OUT)

MANY = 3
"""So many callers with one complaint, and most of all callers, are not each at fault themselves."""
_READ_ONLY = re.compile(
    r"(?:^|[\s\-_.])(?:super[-_]|innodb[-_]|default_transaction_|transaction[-_])?read[-_]only\s*(?:(?:[=:]|\s)\s*[\"']?"
    r"(?P<value>\w+)|$)",
    re.IGNORECASE | re.MULTILINE,
)
_MOST = re.compile(r"max[-_]connections\s*(?:[=:]|\s)\s*[\"']?(?P<most>\d+)", re.IGNORECASE)
_TRUE = ("1", "on", "true", "yes")


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    databases = Databases(scene)
    findings = [finding for server in databases.servers for finding in _of_server(scene, databases, server)]
    findings += _elsewhere(scene, databases)
    yield from findings
    servers = databases.servers
    if servers and scene.logs and not findings:
        names = listed(item.workload.subject for item in servers)
        yield Cleared(text=f"databases ({names}; nobody complains of them)", evidence=servers[0].workload.evidence)


def _of_server(scene: Scene, databases: Databases, server: Server) -> Iterator[Finding]:
    told = [item for item in scene.complaints if databases.about(item) == server]
    by_kind = {kind: [item for item in told if item.failure.kind is kind] for kind in FailureKind}
    if finding := _sessions(databases, server, by_kind[FailureKind.TOO_MANY_CONNECTIONS]):
        yield finding
    if finding := _writes(databases, server, by_kind[FailureKind.READ_ONLY]):
        yield finding
    denied = _callers(by_kind[FailureKind.AUTHENTICATION], server)
    if all_refused(databases, server, denied):
        headline = f"{server.workload.subject} refuses the users of {listed(denied)}"
        reasons = quoted(by_kind[FailureKind.AUTHENTICATION])
        yield found(LOCKED_OUT, server.workload.subject, LIKELY, headline, reasons, suffering=denied)


def all_refused(databases: Databases, server: Server, complaining: Sequence[Subject]) -> bool:
    """Whether so many of a server's callers complain that the fault is not theirs."""
    return len(complaining) >= MANY and 2 * len(complaining) > len(databases.clients(server) | set(complaining))


def _callers(complaints: Sequence[Complaint], server: Server) -> list[Subject]:
    return list(dict.fromkeys(item.workload for item in complaints if item.workload != server.workload.subject))


def _sessions(databases: Databases, server: Server, told: Sequence[Complaint]) -> Finding | None:
    """It said so, or it is allowed fewer sessions than it has callers."""
    subject, callers = server.workload.subject, _callers(told, server)
    clients = len(databases.clients(server))
    limits = [
        (int(match["most"]), source)
        for text, source in databases.told_texts(server)
        for match in _MOST.finditer(text)
        if server.kind in (MYSQL, POSTGRES)
    ]
    low = [(most, source) for most, source in limits if 0 < most <= 2 * max(clients, 1)]
    if not told and not (low and low[0][0] < clients):
        return None
    reasons = quoted(told)
    reasons += [because(f"{subject} allows {plural(most, 'connection')} (max_connections)", at) for most, at in low[:1]]
    said = _as_said(callers, told) if told else f": it allows {low[0][0]}, and {plural(clients, 'workload')} call it"
    sure = (CERTAIN if low else LIKELY) if told else POSSIBLE
    return found(
        SESSIONS, subject, sure, f"{subject} takes no more connections{said}", reasons, suffering=callers,
        since=min((item.last for item in told if item.last), default=None),
    )  # fmt: skip


def _writes(databases: Databases, server: Server, told: Sequence[Complaint]) -> Finding | None:
    """It said so, or it is configured so without being a replica."""
    subject, callers = server.workload.subject, _callers(told, server)
    set_so = [
        (match[0].strip(), source)
        for text, source in databases.told_texts(server)
        for match in _READ_ONLY.finditer(text)
        if server.kind in (MYSQL, POSTGRES) and (match["value"] or "on").lower() in _TRUE
    ]
    if not told and (not set_so or server.is_replica):
        return None
    reasons = quoted(told)
    reasons += [because(f"{subject} is set read-only: {quote(text)}", source) for text, source in set_so[:1]]
    said = _as_said(callers, told) if told else ": it is set read-only"
    return found(
        READ_ONLY, subject, CERTAIN if told and set_so else LIKELY,
        f"{subject} takes no writes{said}", reasons, suffering=callers,
        since=min((item.last for item in told if item.last), default=None),
    )  # fmt: skip


def _as_said(callers: Sequence[Subject], told: Sequence[Complaint]) -> str:
    return f": {listed(callers) or 'it'} {'says' if len(callers) < 2 else 'say'} {quote(told[0].failure.text)}"


def _elsewhere(scene: Scene, databases: Databases) -> Iterator[Finding]:
    """Of a server that is not in the namespace only its callers can be named."""
    for kind, cause in ((FailureKind.TOO_MANY_CONNECTIONS, SESSIONS), (FailureKind.READ_ONLY, READ_ONLY)):
        told = [item for item in scene.complaints if item.failure.kind is kind and databases.about(item) is None]
        for workload in dict.fromkeys(item.workload for item in told):
            own = [item for item in told if item.workload == workload]
            where = own[0].failure.peer or "that is not in the namespace"
            headline = f"{workload} calls a database {where}: {quote(own[0].failure.text)}"
            yield found(cause, workload, POSSIBLE, headline, quoted(own))


def quoted(complaints: Sequence[Complaint]) -> list[Because]:
    """The most frequent complaints as reasons."""
    return [
        because(f"{item.workload}: {quote(item.failure.text)} (×{item.count})", item.evidence)
        for item in sorted(complaints, key=lambda item: -item.count)[:3]
    ]
