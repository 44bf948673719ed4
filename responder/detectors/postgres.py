"""PostgreSQL servers, as `postgres.health` saw them."""

from collections.abc import Iterator

from responder.detectors import Case, _postgres_storage
from responder.detectors._datastores import cause, complained, refused, silent, subject, unanswered, with_callers
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, plural, quote
from responder.detectors.databases import READ_ONLY, SESSIONS
from responder.errors import Reason
from responder.model.datastore import Server
from responder.model.evidence import Evidence
from responder.model.failures import FailureKind
from responder.model.finding import Cleared, Finding
from responder.model.numbers import shown
from responder.model.postgres import PostgresSession, PostgresStatement
from responder.model.postgres_health import IDLE, PostgresHealth
from responder.model.subject import Subject

PROBE = "postgres.health"
COUNT = "SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3"
PREPARED = "SELECT * FROM pg_prepared_xacts"

DOWN = cause(
    "postgres-down", "PostgreSQL does not answer", "Nobody listens at its address, or nothing comes back.",
    "pg_isready -h HOST -p PORT; the server's pod and its log", "Start it, or correct address and network policy",
)  # fmt: skip
NOT_READY = cause(
    "postgres-not-accepting", "PostgreSQL is starting, stopping or recovering",
    "The server runs and takes no sessions yet, or no more.", "pg_isready; the server's log",
    "Wait for the recovery to end; look at what stopped it",
)  # fmt: skip
CREDENTIALS = cause(
    "postgres-credentials-refused", "PostgreSQL refuses Responder's user or password",
    "The user of the settings cannot log in; who shares that user cannot either.",
    "psql with the same user; pg_hba.conf", "Correct the password of the settings, or pg_hba.conf",
)  # fmt: skip
CROWDED = cause(
    "postgres-connections-nearly-used", "PostgreSQL's connections are nearly all in use",
    "Little more, and further sessions are refused.", "SELECT state, application_name, count(*) FROM pg_stat_activity",
    "Find who holds the sessions and shrink its pool, or put a pooler before the server",
)  # fmt: skip
IDLE_TRANSACTION = cause(
    "postgres-idle-transaction", "A transaction is left open and idle in PostgreSQL",
    "Its client does nothing, but it keeps locks and dead rows.",
    "SELECT pid, state_change, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'",
    "Repair the client that neither commits nor rolls back; set idle_in_transaction_session_timeout",
)  # fmt: skip
LONG_TRANSACTION = cause(
    "postgres-long-transaction", "A transaction in PostgreSQL has been open for long",
    "It keeps its locks, and vacuum cannot remove what it may still see.",
    "SELECT pid, xact_start, query FROM pg_stat_activity ORDER BY xact_start",
    "Let it end, or end it with pg_terminate_backend; split large jobs into small transactions",
)  # fmt: skip
BLOCKED = cause(
    "postgres-blocked-by-lock", "Sessions of PostgreSQL wait for a lock",
    "One session holds what the others need; they answer nobody meanwhile.",
    "SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    "End the session that holds the lock, after asking its owner; set lock_timeout for migrations",
    symptom_of=("postgres-idle-transaction",),
)  # fmt: skip
SLOW = cause(
    "postgres-slow-statement", "Statements of PostgreSQL take long",
    "A statement takes more time now than it should; a missing index or old statistics are the usual reasons.",
    "SELECT * FROM pg_stat_statements; EXPLAIN (ANALYZE, BUFFERS) of the statement",
    "Add the index that it lacks, ANALYZE its tables, or change the statement",
    symptom_of=("postgres-blocked-by-lock", "postgres-idle-transaction", "postgres-bloat"),
)  # fmt: skip
LAG = cause(
    "postgres-replication-behind", "A replica of PostgreSQL is behind",
    "What was written is not yet on the replica: reads there are old, and a failover would lose it.",
    "SELECT * FROM pg_stat_replication on the primary", "Look at the replica's load and disk, and the network between",
)  # fmt: skip
SILENT = cause(
    "postgres-unresponsive", "PostgreSQL accepts connections and does not answer",
    "It runs, and something keeps it from answering: too little CPU, swapping, a disk that hangs, or it is paused.",
    "pg_isready -h HOST -p PORT; CPU, memory and disk of its pod", "Give it CPU and memory; look at its disk",
)  # fmt: skip
CAUSES = (
    SILENT, DOWN, NOT_READY, CREDENTIALS, CROWDED, IDLE_TRANSACTION, LONG_TRANSACTION, BLOCKED, SLOW, LAG,
    *_postgres_storage.CAUSES,
)  # fmt: skip
STOPPING = (SILENT, DOWN, NOT_READY, SESSIONS, BLOCKED, READ_ONLY)
"""The causes that let callers fail."""


def detect(case: Case) -> Iterator[Finding | Cleared]:
    for server, evidence in unanswered(case, PROBE, "PostgreSQL"):
        for finding in _unanswered(subject(case, server), server, evidence):
            yield with_callers(case, server, finding, STOPPING)
    for name, health in case.read(PostgresHealth):
        server = Server("PostgreSQL", health.name, health.place)
        findings = [*_findings(case, subject(case, server), name, health)]
        yield from (with_callers(case, server, finding, STOPPING) for finding in findings)
        if not findings:
            yield Cleared(text=_looked_at(health, whole=not case.evidence[name].gaps), evidence=(name,))


def _looked_at(health: PostgresHealth, *, whole: bool) -> str:
    """What is ruled out: the server where all of it was seen, else its connections alone."""
    named = f"PostgreSQL{f' {health.name}' if health.name else ''}"
    used = f"{health.connections} of {health.max_connections}"
    return f"{named} ({used} connections)" if whole else f"connections of {named} ({used})"


def _unanswered(about: Subject, server: Server, evidence: Evidence) -> Iterator[Finding]:
    said = quote(evidence.summary)
    reasons = [because(said, evidence.id)]
    match evidence.reason:
        case Reason.OVERLOADED:
            steps = [f"As a superuser, for whom some connections are reserved: {COUNT}"]
            headline = f"{about} takes no more connections: {said}"
            yield found(SESSIONS, about, CERTAIN, headline, reasons, next_steps=steps)
        case Reason.UNAUTHORIZED:
            yield found(CREDENTIALS, about, CERTAIN, f"{about} refuses the user that Responder has: {said}", reasons)
        case Reason.SERVER_ERROR:
            yield found(NOT_READY, about, CERTAIN, f"{about} takes no sessions now: {said}", reasons)
        case Reason.TIMEOUT if silent(evidence):
            steps = [_ready(server), "Look at the CPU, memory and disk of its pod or host"]
            yield found(SILENT, about, LIKELY, f"{about} accepts connections and does not answer", reasons,
                        next_steps=steps)  # fmt: skip
        case Reason.UNREACHABLE | Reason.TIMEOUT | Reason.BREAKER_OPEN:
            steps = [_ready(server)]
            sure = LIKELY if refused(evidence) else POSSIBLE
            yield found(DOWN, about, sure, f"{about} does not answer: {said}", reasons, next_steps=steps)


def _ready(server: Server) -> str:
    return f"pg_isready -h {server.host} -p {server.place.rpartition(':')[2]}"


def _findings(case: Case, about: Subject, name: str, health: PostgresHealth) -> Iterator[Finding]:
    yield from _connections(about, name, health)
    yield from _sessions(about, name, health)
    yield from _slow(about, name, health)
    yield from _writes(case, about, name, health)
    yield from _postgres_storage.findings(about, name, health)
    yield from _replication(about, name, health)


def _connections(about: Subject, name: str, health: PostgresHealth) -> Iterator[Finding]:
    if not health.crowded:
        return
    used = f"{health.connections} of {health.max_connections} connections are in use"
    reasons = [because(used, name)]
    reasons += [because(f"{item.name or 'unknown'} has {item.sessions}", name) for item in health.by_application[:3]]
    states = ", ".join(f"{count} {state}" for state, count in health.by_state.items())
    reasons += [because(f"by state: {states}", name)] if states else []
    yield found(
        SESSIONS if health.exhausted else CROWDED, about, LIKELY,
        f"{used} at {about}{', the rest is reserved' if health.exhausted else ''}", reasons,
        next_steps=["Shrink the pool of whoever holds the most, or put a pooler before the server"],
    )  # fmt: skip


def _sessions(about: Subject, name: str, health: PostgresHealth) -> Iterator[Finding]:
    yield from _locks(about, name, health)
    for known, items in ((IDLE_TRANSACTION, health.idle), (LONG_TRANSACTION, health.long_transactions)):
        if items:
            first_item = items[0]
            blocks = any(lock.blocker_pid == item.pid for item in items for lock in health.blocked)
            headline = f"{first_item.who} has had a transaction open in {about} for {_span(first_item.seconds)}"
            idle = first_item.state.startswith(IDLE)
            headline += f" and does nothing for {_span(first_item.state_seconds)}" if idle else ""
            sure = CERTAIN if blocks else LIKELY if idle else POSSIBLE
            reasons = [because(_session(item), name) for item in items[:3]]
            yield found(known, about, sure, headline, reasons, next_steps=[_end(first_item.pid)])


def _locks(about: Subject, name: str, health: PostgresHealth) -> Iterator[Finding]:
    if not (queue := health.longest_queue):
        return
    first = queue[0]
    holder = f"pid {first.blocker_pid}" if first.blocker_pid else "a prepared transaction"
    doing = f"{first.blocker_user}, {first.blocker_state}" if first.blocker_pid else PREPARED
    reasons = [
        because(f"pid {item.pid} waits {_span(item.seconds)} for {item.lock}: {quote(item.statement)}", name)
        for item in queue[:3]
    ]
    if first.blocker_statement:
        reasons.append(because(f"{holder} last said: {quote(first.blocker_statement)}", name))
    if others := {item.pid for item in health.blocked} - {item.pid for item in queue}:
        reasons.append(because(f"{plural(len(others), 'session')} more for locks of others", name))
    yield found(
        BLOCKED, about, CERTAIN, f"{plural(len(queue), 'session')} of {about} wait for a lock that {holder} holds "
        f"({doing})", reasons, next_steps=[_end(first.blocker_pid)] if first.blocker_pid else (),
    )  # fmt: skip


def _slow(about: Subject, name: str, health: PostgresHealth) -> Iterator[Finding]:
    reasons = [
        because(f"{_span(item.mean_seconds)} on average now{_usually(item)}, {plural(item.calls, 'call')}: "
                f"{quote(item.statement)}", name)
        for item in health.slow[:3]
    ]  # fmt: skip
    reasons += [
        because(f"{item.who} has been running for {_span(item.statement_seconds)}: {quote(item.statement)}", name)
        for item in health.running[:3]
    ]
    if slow := health.slow:
        headline = f"{about} takes {_span(slow[0].mean_seconds)}{_usually(slow[0])} for: {quote(slow[0].statement)}"
    elif running := health.running:
        took = _span(running[0].statement_seconds)
        headline = f"{about} has been busy for {took} with: {quote(running[0].statement)}"
    else:
        return
    yield found(SLOW, about, POSSIBLE, headline, reasons, next_steps=["EXPLAIN (ANALYZE, BUFFERS) the statement"])


def _usually(item: PostgresStatement) -> str:
    return f" (usually {_span(item.usual_seconds)})" if item.usual_seconds is not None else ""


def _writes(case: Case, about: Subject, name: str, health: PostgresHealth) -> Iterator[Finding]:
    told = complained(case, about, FailureKind.READ_ONLY)
    reasons = [because(quote(text), evidence) for evidence, text in told.items()]
    if health.read_only and not health.in_recovery:
        reasons.insert(0, because("default_transaction_read_only is on", name))
        steps = ["SELECT source, sourcefile FROM pg_settings WHERE name = 'default_transaction_read_only'"]
        yield found(READ_ONLY, about, CERTAIN, f"{about} is set read-only", reasons, next_steps=steps)
    elif health.in_recovery and told:
        reasons.insert(0, because("pg_is_in_recovery() is true: it is a replica", name))
        yield found(READ_ONLY, about, LIKELY, f"{about} is a replica, and somebody writes to it", reasons)


def _replication(about: Subject, name: str, health: PostgresHealth) -> Iterator[Finding]:
    for item in health.behind:
        who = item.application or item.client
        behind = f"{_span(item.behind_seconds or 0)} ({_postgres_storage.size(item.behind_bytes)})"
        headline = f"Replica {who} of {about} is {behind} behind"
        yield found(LAG, about, LIKELY, headline, [because(f"replica {who}, {item.state}: {behind} behind", name)])
    if health.late:
        link = "receives WAL" if health.receiving else "receives no WAL"
        behind = _span(health.behind_seconds or 0)
        reasons = [because(f"last change is {behind} old; it {link}", name)]
        yield found(LAG, about, LIKELY, f"{about} is a replica {behind} behind and {link}", reasons)


def _session(item: PostgresSession) -> str:
    return f"{item.who}: open for {_span(item.seconds)}, {item.state}: {quote(item.statement)}"


def _end(pid: int) -> str:
    return f"SELECT pg_terminate_backend({pid}) ends the session; ask its owner first"


def _span(seconds: float) -> str:
    return shown(seconds, "seconds")
