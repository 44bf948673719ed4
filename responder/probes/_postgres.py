"""The questions of `postgres.health`, for PostgreSQL 10 and newer. Column names are the fields of the shapes."""

from collections.abc import Mapping

from responder.clients import Statement

# the type of a session that the user may not look into is hidden
_OTHERS = """pid <> pg_backend_pid()
 AND (backend_type = 'client backend' OR backend_type IS NULL AND datid IS NOT NULL)"""
_WHO = """coalesce({0}.datname, '') AS database, coalesce({0}.usename, '') AS "user",
 coalesce({0}.application_name, '') AS application"""
_NOW_LSN = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END"
_UNLOCKED = """NOT EXISTS (SELECT FROM pg_locks l
 WHERE l.relation = {0} AND l.granted AND l.mode = 'AccessExclusiveLock')"""

SERVER = f"""SELECT current_setting('server_version') AS version,
 current_setting('server_version_num')::int AS version_number, current_database() AS database,
 pg_is_in_recovery() AS in_recovery, current_setting('default_transaction_read_only') = 'on' AS read_only,
 pg_postmaster_start_time() AS started_at,
 extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS uptime_seconds,
 current_setting('max_connections')::int AS max_connections,
 current_setting('superuser_reserved_connections')::int
 + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved_connections,
 (SELECT count(*)::int FROM pg_stat_activity WHERE {_OTHERS}) AS connections"""  # noqa: S608 (constants)
RIGHTS = """SELECT rolsuper OR pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all
 FROM pg_roles WHERE rolname = current_user"""
SESSIONS = f"""SELECT {_WHO.format("a")}, coalesce(state, '') AS state, count(*)::int AS count
 FROM pg_stat_activity a WHERE {_OTHERS} GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC"""  # noqa: S608
TRANSACTIONS = f"""SELECT pid, {_WHO.format("a")}, coalesce(host(client_addr), '') AS client,
 coalesce(state, '') AS state, extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
 extract(epoch FROM clock_timestamp() - state_change)::float8 AS state_seconds,
 extract(epoch FROM clock_timestamp() - query_start)::float8 AS statement_seconds,
 coalesce(wait_event_type || ' ' || wait_event, '') AS waiting_for, left(coalesce(query, ''), 2000) AS statement
 FROM pg_stat_activity a WHERE {_OTHERS} AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 50"""  # noqa: S608
LOCKS = f"""SELECT a.pid, {_WHO.format("a")},
 extract(epoch FROM clock_timestamp() - coalesce(w.since, a.state_change, a.backend_start))::float8 AS seconds,
 left(coalesce(a.query, ''), 2000) AS statement, coalesce(w.lock, '') AS lock, b.pid AS blocker_pid,
 coalesce(h.usename, '') AS blocker_user, coalesce(h.application_name, '') AS blocker_application,
 coalesce(h.state, '') AS blocker_state,
 extract(epoch FROM clock_timestamp() - h.xact_start)::float8 AS blocker_seconds,
 left(coalesce(h.query, ''), 2000) AS blocker_statement
 FROM pg_stat_activity a CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS b(pid)
 LEFT JOIN pg_stat_activity h ON h.pid = b.pid LEFT JOIN LATERAL (
 SELECT (to_jsonb(l) ->> 'waitstart')::timestamptz AS since,
 l.locktype || coalesce(' ' || l.relation::regclass::text, '') AS lock
 FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted LIMIT 1) AS w ON true
 WHERE a.wait_event_type = 'Lock' ORDER BY seconds DESC LIMIT 50"""  # noqa: S608
_TOTAL = "coalesce(to_jsonb({0}) ->> 'total_exec_time', to_jsonb({0}) ->> 'total_time')::float8 / 1000"
_KEY = "{0}.userid, {0}.dbid, {0}.queryid, coalesce(to_jsonb({0}) ->> 'toplevel', 'true')"
# what is counted since the last reset may have been slow long ago: what counts is the difference over some time
_STATEMENTS = f"""WITH earlier AS (SELECT {_KEY.format("b")} AS toplevel, b.calls, b.rows, b.temp_blks_written,
 {_TOTAL.format("b")} AS total FROM pg_stat_statements(false) AS b),
 pause AS (SELECT pg_sleep({{seconds}})::text IS NOT NULL AS over FROM (SELECT count(*) FROM earlier) AS counted)
 SELECT left(s.query, 2000) AS statement, coalesce(d.datname, '') AS database, s.calls - coalesce(e.calls, 0) AS calls,
 ({_TOTAL.format("s")} - coalesce(e.total, 0)) / (s.calls - coalesce(e.calls, 0)) AS mean_seconds,
 e.total / e.calls AS usual_seconds, s.rows - coalesce(e.rows, 0) AS rows,
 (s.temp_blks_written - coalesce(e.temp_blks_written, 0)) * current_setting('block_size')::int8 AS temp_bytes
 FROM pause CROSS JOIN LATERAL pg_stat_statements(pause.over) AS s
 LEFT JOIN earlier e ON (e.userid, e.dbid, e.queryid, e.toplevel) = ({_KEY.format("s")})
 LEFT JOIN pg_database d ON d.oid = s.dbid
 WHERE s.calls > coalesce(e.calls, 0) ORDER BY mean_seconds DESC LIMIT 10"""  # noqa: S608
TEMPORARY = f"""SELECT f.pid, {_WHO.format("a")}, f.files, f.bytes, left(coalesce(a.query, ''), 2000) AS statement
 FROM (SELECT substring(l.name FROM '^pgsql_tmp([0-9]+)')::int AS pid, count(*)::int AS files,
 sum(l.size)::int8 AS bytes FROM pg_tablespace t CROSS JOIN LATERAL pg_ls_tmpdir(t.oid) AS l
 WHERE t.spcname <> 'pg_global' GROUP BY 1) AS f
 LEFT JOIN pg_stat_activity a ON a.pid = f.pid ORDER BY f.bytes DESC LIMIT 10"""  # noqa: S608
TABLES = f"""SELECT schemaname AS schema_name, relname AS name, pg_total_relation_size(relid) AS bytes,
 n_live_tup AS live_rows, n_dead_tup AS dead_rows,
 round(n_dead_tup::numeric / greatest(n_live_tup + n_dead_tup, 1), 4) AS dead_ratio,
 greatest(last_vacuum, last_autovacuum) AS vacuumed_at, greatest(last_analyze, last_autoanalyze) AS analyzed_at
 FROM (SELECT t.* FROM pg_stat_user_tables t JOIN pg_class c ON c.oid = t.relid
 WHERE {_UNLOCKED.format("c.oid")} ORDER BY greatest(c.relpages, n_dead_tup / 50) DESC LIMIT 50) AS largest
 ORDER BY bytes DESC LIMIT 20"""  # noqa: S608
INDEXES = f"""SELECT i.schemaname AS schema_name, i.relname AS "table", i.indexrelname AS name, i.idx_scan AS scans,
 pg_relation_size(i.indexrelid) AS bytes, x.indisunique AS "unique"
 FROM pg_stat_user_indexes i JOIN pg_index x ON x.indexrelid = i.indexrelid
 WHERE {_UNLOCKED.format("i.indexrelid")} ORDER BY i.idx_scan, bytes DESC LIMIT 50"""  # noqa: S608
REPLICAS = f"""SELECT coalesce(application_name, '') AS application, coalesce(host(client_addr), '') AS client,
 coalesce(state, '') AS state, coalesce(sync_state, '') AS sync,
 pg_wal_lsn_diff({_NOW_LSN}, replay_lsn)::float8 AS behind_bytes,
 extract(epoch FROM replay_lag)::float8 AS behind_seconds
 FROM pg_stat_replication ORDER BY behind_bytes DESC NULLS LAST LIMIT 20"""  # noqa: S608
SLOTS = f"""SELECT slot_name AS name, slot_type AS type, active,
 pg_wal_lsn_diff({_NOW_LSN}, restart_lsn)::float8 AS kept_bytes,
 coalesce(to_jsonb(s) ->> 'wal_status', '') AS wal_status
 FROM pg_replication_slots s ORDER BY kept_bytes DESC NULLS LAST LIMIT 20"""  # noqa: S608
STANDBY = """SELECT EXISTS (SELECT FROM pg_stat_wal_receiver) AS receiving,
 CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
 ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8 AS behind_seconds
 WHERE pg_is_in_recovery()"""
DATABASES = """SELECT d.datname AS name, CASE WHEN has_database_privilege(d.oid, 'CONNECT')
 OR pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_database_size(d.oid) END AS bytes,
 age(d.datfrozenxid) AS age, s.deadlocks, s.temp_files, s.temp_bytes, s.xact_commit AS commits,
 s.xact_rollback AS rollbacks, s.conflicts,
 round(s.blks_hit::numeric / nullif(s.blks_hit + s.blks_read, 0), 4) AS hit_ratio, s.stats_reset AS counted_since,
 extract(epoch FROM now() - coalesce(s.stats_reset, pg_postmaster_start_time()))::float8 AS counted_seconds
 FROM pg_database d JOIN pg_stat_database s ON s.datid = d.oid ORDER BY bytes DESC NULLS LAST LIMIT 50"""
TABLESPACES = "SELECT sum(pg_tablespace_size(oid))::int8 AS tablespaces_bytes FROM pg_tablespace"
WAL = "SELECT coalesce(sum(size), 0)::int8 AS wal_bytes FROM pg_ls_waldir()"
BGWRITER = """SELECT checkpoints_timed, checkpoints_req AS checkpoints_requested FROM pg_stat_bgwriter"""
CHECKPOINTER = """SELECT num_timed AS checkpoints_timed, num_requested AS checkpoints_requested
 FROM pg_stat_checkpointer"""


QUESTIONS: Mapping[str, Statement] = {
    "server": Statement(SERVER),
    "rights": Statement(RIGHTS),
    "sessions": Statement(SESSIONS),
    "transactions": Statement(TRANSACTIONS),
    "locks": Statement(LOCKS),
    "tables": Statement(TABLES),
    "indexes": Statement(INDEXES),
    "temporary files": Statement(TEMPORARY, since=120000),
    "replicas": Statement(REPLICAS),
    "replication slots": Statement(SLOTS),
    "standby": Statement(STANDBY),
    "databases": Statement(DATABASES),
    "tablespaces": Statement(TABLESPACES),
    "WAL": Statement(WAL),
    "checkpoints": Statement(BGWRITER, until=170000),
    "checkpoints since version 17": Statement(CHECKPOINTER, since=170000),
}


def questions(watch: float) -> Mapping[str, Statement]:
    """The statements by what they ask; `watch` is for how many seconds statements are counted."""
    return {**QUESTIONS, "slow statements": Statement(_STATEMENTS.format(seconds=watch))}
