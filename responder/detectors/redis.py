"""Redis servers, as `redis.health` saw them. What they refuse has Redis' own names: OOM, MISCONF, READONLY."""

from collections.abc import Iterator, Mapping

from responder.detectors import Case
from responder.detectors._datastores import cause, complained, refused, silent, subject, unanswered, with_callers
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, quote
from responder.detectors.databases import READ_ONLY, SESSIONS
from responder.errors import Reason
from responder.model.datastore import Server
from responder.model.evidence import Evidence
from responder.model.failures import FailureKind
from responder.model.finding import Cause, Cleared, Finding
from responder.model.numbers import shown
from responder.model.redis import RedisHealth
from responder.model.subject import Subject

PROBE = "redis.health"
UNKILLABLE = "Where it has written (UNKILLABLE): wait, or SHUTDOWN NOSAVE, which loses all writes since the last save"

DOWN = cause(
    "redis-down", "Redis does not answer", "Nobody listens at its address, or nothing comes back.",
    "redis-cli -h HOST PING; the server's pod and its log", "Start it, or correct address and network policy",
)  # fmt: skip
CREDENTIALS = cause(
    "redis-credentials-refused", "Redis refuses Responder's user or password",
    "The server asks for a password, or for another one; who has the same cannot log in either.",
    "redis-cli -h HOST PING with the same user", "Correct user and password of the settings",
)  # fmt: skip
LOADING = cause(
    "redis-loading", "Redis loads its data", "After a start it answers LOADING until all is in memory.",
    "INFO persistence: loading, loading_eta_seconds", "Wait; find out why it was restarted",
)  # fmt: skip
MEMORY = cause(
    "redis-out-of-memory", "Redis has no memory for writes",
    "maxmemory is reached and the policy lets nothing go: writes fail with OOM command not allowed.",
    "INFO memory: used_memory, maxmemory, maxmemory_policy",
    "Raise maxmemory, let keys expire, or choose an eviction policy",
)  # fmt: skip
EVICTING = cause(
    "redis-evicting", "Redis throws keys away", "maxmemory is reached; what is still needed may go too.",
    "INFO stats: evicted_keys", "Raise maxmemory, or keep less; sessions do not belong into a cache that evicts",
)  # fmt: skip
CROWDED = cause(
    "redis-too-many-clients", "Redis' connections are nearly all in use",
    "Little more, and further clients are turned away.", "INFO clients; CLIENT LIST",
    "Find who keeps connections open and shrink its pool; raise maxclients with the limit of open files",
)  # fmt: skip
PERSISTENCE = cause(
    "redis-persistence-failing", "Redis cannot save its data",
    "Its disk is full or not writable; with stop-writes-on-bgsave-error it refuses writes (MISCONF).",
    "INFO persistence: rdb_last_bgsave_status, aof_last_write_status; the server's log",
    "Make room or repair the rights on its volume; see vm.overcommit_memory where fork fails",
)  # fmt: skip
LINK = cause(
    "redis-replication-broken", "A replica of Redis does not follow",
    "The link to its master is down or far behind: reads there are old, and a failover would lose writes.",
    "INFO replication on both", "Look at master and network; raise repl-backlog-size where it syncs again and again",
)  # fmt: skip
CLUSTER = cause(
    "redis-cluster-down", "The Redis cluster does not serve all slots", "Commands are answered with CLUSTERDOWN.",
    "CLUSTER INFO; CLUSTER NODES",
    "Bring back the masters that are missing, or fix the slots with redis-cli --cluster fix",
)  # fmt: skip
SLOW = cause(
    "redis-slow-command", "Commands of Redis take long",
    "Redis does one command at a time: all others wait meanwhile.", "SLOWLOG GET",
    "Replace KEYS by SCAN, and split large values and scripts",
)  # fmt: skip
BUSY = cause(
    "redis-busy-script", "Redis is busy with a script",
    "A script or function runs longer than busy-reply-threshold; until it ends every command is answered with BUSY.",
    "redis-cli PING; the server's log names the script",
    "End it with SCRIPT KILL or FUNCTION KILL, and bound its loops",
)  # fmt: skip
SILENT = cause(
    "redis-unresponsive", "Redis accepts connections and does not answer",
    "It runs, and something keeps it from answering: a long command or script, swapping, too little CPU, a pause.",
    "redis-cli PING; CPU and memory of its pod", "End the long command, or give it CPU and memory",
)  # fmt: skip
REPLICAS = cause(
    "redis-too-few-replicas", "Redis refuses writes for want of replicas",
    "Fewer replicas than min-replicas-to-write follow it: writes fail with NOREPLICAS.",
    "INFO replication: min_slaves_good_slaves; CONFIG GET min-replicas-to-write",
    "Bring the replicas back; lower min-replicas-to-write only where lost writes are accepted",
)  # fmt: skip
CAUSES = (
    DOWN, CREDENTIALS, LOADING, MEMORY, EVICTING, CROWDED, PERSISTENCE, LINK, CLUSTER, SLOW, BUSY, SILENT, REPLICAS
)  # fmt: skip
STOPPING = (DOWN, LOADING, MEMORY, PERSISTENCE, CLUSTER, SESSIONS, READ_ONLY, BUSY, SILENT, REPLICAS)
"""The causes that let callers fail."""


def detect(case: Case) -> Iterator[Finding | Cleared]:
    for server, evidence in unanswered(case, PROBE, "Redis"):
        for finding in _unanswered(subject(case, server), server, evidence):
            yield with_callers(case, server, finding, STOPPING)
    for name, health in case.read(RedisHealth):
        server = Server("Redis", health.name, health.place)
        about = subject(case, server)
        findings = [
            *_writes(case, server, about, name, health),
            *_capacity(about, name, health),
            *_replication(server, about, name, health),
        ]
        yield from (with_callers(case, server, finding, STOPPING) for finding in findings)
        if not findings and health.ping_seconds is not None:
            named = f"Redis{f' {health.name}' if health.name else ''}"
            answered = f"that {named} answers" if case.evidence[name].gaps else named
            yield Cleared(text=f"{answered} (PONG in {shown(health.ping_seconds, 'seconds')})", evidence=(name,))


def _unanswered(about: Subject, server: Server, evidence: Evidence) -> Iterator[Finding]:
    said = quote(evidence.summary)
    reasons = [because(said, evidence.id)]
    match evidence.reason:
        case Reason.OVERLOADED:
            yield found(SESSIONS, about, CERTAIN, f"{about} takes no more connections: {said}", reasons)
        case Reason.UNAUTHORIZED:
            yield found(CREDENTIALS, about, CERTAIN, f"{about} refuses the user that Responder has: {said}", reasons)
        case Reason.SERVER_ERROR:
            spoken = (item for code, item in _refusals(server).items() if code in evidence.summary)
            if named := next(spoken, None):
                yield found(named[0], about, CERTAIN, f"{about} does not serve: {said}", reasons, next_steps=named[1])
        case Reason.TIMEOUT if silent(evidence):
            steps = [_cli(server, "PING"), f"Look at what it did once it answers: {_cli(server, 'SLOWLOG GET 10')}"]
            yield found(SILENT, about, LIKELY, f"{about} accepts connections and does not answer", reasons,
                        next_steps=steps)  # fmt: skip
        case Reason.UNREACHABLE | Reason.TIMEOUT | Reason.BREAKER_OPEN:
            steps = [_cli(server, "PING")]
            sure = LIKELY if refused(evidence) else POSSIBLE
            yield found(DOWN, about, sure, f"{about} does not answer: {said}", reasons, next_steps=steps)


def _refusals(server: Server) -> Mapping[str, tuple[Cause, list[str]]]:
    """What a server says that refuses every command, with what helps."""
    return {
        "SCRIPT KILL": (BUSY, [_cli(server, "SCRIPT KILL"), UNKILLABLE]),
        "FUNCTION KILL": (BUSY, [_cli(server, "FUNCTION KILL"), UNKILLABLE]),
        "BUSY": (BUSY, [_cli(server, "SCRIPT KILL"), UNKILLABLE]),
        "MISCONF": (PERSISTENCE, _saving(server)),
        "Errors writing": (PERSISTENCE, _saving(server)),
        "MASTERDOWN": (LINK, [_cli(server, "INFO replication")]),
        "CLUSTERDOWN": (CLUSTER, [_cli(server, "CLUSTER INFO"), _cli(server, "CLUSTER NODES")]),
        "LOADING": (LOADING, [f"Wait; how far it is: {_cli(server, 'INFO persistence')}"]),
    }


def _saving(server: Server) -> list[str]:
    return [
        f"Find its folder and why it cannot write there: {_cli(server, 'CONFIG GET dir')}; df -h of it; its log",
        f"Then save at once: {_cli(server, 'BGSAVE')} (with the append-only file: BGREWRITEAOF)",
    ]


def _cli(server: Server, command: str) -> str:
    return f"redis-cli -h {server.host} -p {server.place.rpartition(':')[2]} {command}"


def _writes(case: Case, server: Server, about: Subject, name: str, health: RedisHealth) -> Iterator[Finding]:
    """What keeps it from taking writes."""
    if health.loading:
        left = f", {shown(seconds, 'seconds')} to go" if (seconds := health.loading_left_seconds or 0) > 0 else ""
        yield found(
            LOADING, about, CERTAIN, f"{about} loads its data{left}", [because(f"loading: 1{left}", name)],
            next_steps=[f"Wait; how far it is: {_cli(server, 'INFO persistence')}"],
        )  # fmt: skip
    if health.full:
        used, count = _memory(health), health.errors.get("OOM", 0)
        reasons = [because(f"{used} used, maxmemory-policy {health.policy}", name)]
        reasons += [because(f"{count} commands were refused with OOM so far", name)] if count else []
        reached = (health.used_memory or 0) >= (health.max_memory or 0)
        headline = (
            f"{about} has {'no' if reached else 'hardly any'} memory for writes: {used}, and nothing may be evicted"
        )
        steps = [f"Find what takes the room: {_cli(server, '--bigkeys')}"]
        yield found(MEMORY, about, CERTAIN if count and reached else LIKELY, headline, reasons, next_steps=steps)
    if health.unsaved:
        states = f"rdb_last_bgsave_status {health.rdb_status}, aof_last_write_status {health.aof_status or 'off'}"
        reasons = [because(states, name)]
        reasons += [because(quote(health.ping_error), name)] if health.ping_error else []
        effect = " and refuses writes" if health.stops_writes or "MISCONF" in health.ping_error else ""
        headline = f"{about} cannot save its data{effect}"
        yield found(PERSISTENCE, about, CERTAIN, headline, reasons, next_steps=_saving(server))
    if health.lonely:
        follow = f"{health.good_replicas} of {health.min_replicas} replicas follow it"
        steps = [_cli(server, "INFO replication"), "Start the replicas that are missing"]
        headline = f"{about} refuses writes: {follow}"
        yield found(REPLICAS, about, CERTAIN, headline, [because(follow, name)], next_steps=steps)
    told = complained(case, about, FailureKind.READ_ONLY)
    count = health.errors.get("READONLY", 0)
    if health.role == "replica" and health.replica_read_only and (told or count):
        reasons = [because(f"role replica of {health.master}, {count} writes refused with READONLY so far", name)]
        reasons += [because(quote(text), evidence) for evidence, text in told.items()]
        headline = f"{about} is a read-only replica of {health.master}, and somebody writes to it"
        yield found(READ_ONLY, about, LIKELY, headline, reasons, next_steps=[f"Let writers call {health.master}"])


def _capacity(about: Subject, name: str, health: RedisHealth) -> Iterator[Finding]:
    if health.evicting:
        used = _memory(health)
        reasons = [because(f"{used} used, {health.evicted_keys} keys evicted so far ({health.policy})", name)]
        yield found(EVICTING, about, LIKELY, f"{about} throws keys away: {used} used", reasons)
    if health.crowded:
        used = f"{health.clients} of {health.max_clients} clients"
        reasons = [because(f"{used}, {health.rejected_connections} turned away so far", name)]
        full = (health.clients or 0) >= (health.max_clients or 0)
        yield found(SESSIONS if full else CROWDED, about, LIKELY, f"{about} has {used}", reasons)
    if slow := health.sluggish:
        first, took = slow[0], shown(slow[0].seconds, "seconds")
        reasons = [
            because(f"{item.at:%H:%M} UTC: {item.command} with {item.arguments} arguments took "
                    f"{shown(item.seconds, 'seconds')}", name)
            for item in slow[:3]
        ]  # fmt: skip
        yield found(SLOW, about, POSSIBLE, f"{first.command} kept {about} busy for {took}", reasons)
    if health.ping_seconds is not None and health.ping_seconds > health.limits.ping and not slow:
        took = shown(health.ping_seconds, "seconds")
        yield found(SLOW, about, POSSIBLE, f"{about} took {took} to answer PING", [because(f"PONG in {took}", name)])


def _replication(server: Server, about: Subject, name: str, health: RedisHealth) -> Iterator[Finding]:
    if health.cut_off:
        down = health.master_down_seconds or 0
        since = f" for {shown(down, 'seconds')}" if down > 0 else ""
        headline = f"{about} does not hear of its master {health.master}{since}"
        reasons = [because(f"master_link_status down{since}", name)]
        reasons += [because(quote(health.ping_error), name)] if health.ping_error else []
        steps = [f"Look at the master: redis-cli -h {health.master.replace(':', ' -p ')} INFO replication"]
        yield found(LINK, about, CERTAIN, headline, reasons, next_steps=steps)
    for item in health.behind:
        state = f"{item.state}, {shown(item.lag_seconds or 0, 'seconds')} behind"
        headline = f"Replica {item.address} of {about} does not keep up: {state}"
        yield found(LINK, about, LIKELY, headline, [because(f"replica {item.address}: {state}", name)])
    if health.cluster_state == "fail":
        steps = [_cli(server, "CLUSTER NODES"), f"redis-cli --cluster check {server.place}"]
        reasons = [because("cluster_state fail", name)]
        yield found(CLUSTER, about, CERTAIN, f"The cluster of {about} is down", reasons, next_steps=steps)


def _memory(health: RedisHealth) -> str:
    return f"{shown(health.used_memory or 0, 'bytes')} of {shown(health.max_memory or 0, 'bytes')}"
