"""The tables. Records are kept as JSON documents beside the columns that are searched by."""

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
)

SCHEMA = "0004"
"""The newest migration; the start compares it without loading Alembic."""


class Moment(TypeDecorator[datetime]):
    """A time, always aware and in UTC (SQLite forgets zones)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


metadata = MetaData()

notifications = Table(
    "notifications",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("received_at", Moment, nullable=False),
    Column("sender", String, nullable=False),
    Column("alerts", Integer, nullable=False),
    Column("folded", Boolean, nullable=False, default=False),
    Column("trouble", Text, nullable=False, default=""),
    Column("compressed", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
Index(
    "notifications_to_fold",
    notifications.c.id,
    sqlite_where=~notifications.c.folded,
    postgresql_where=~notifications.c.folded,
)

rejections = Table(
    "rejections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("received_at", Moment, nullable=False),
    Column("reason", String, nullable=False),
    Column("problems", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String, primary_key=True),
    Column("identity", String, nullable=False),
    Column("runbook", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("status", String, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Index("incidents_by_identity", "identity", "opened_at"),
    Index("incidents_by_status", "status", "severity"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("document", Text, nullable=False),
    Index("alerts_by_key", "key"),
    Index("alerts_by_state", "state"),
)

hearts = Table(
    "hearts",
    metadata,
    Column("key", String, primary_key=True),
    Column("document", Text, nullable=False),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident_id", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", String, nullable=False),
    Column("text", Text, nullable=False),
    Index("timeline_by_incident", "incident_id", "at"),
)

investigations = Table(
    "investigations",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("step", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("document", Text, nullable=False),
)

verifications = Table(
    "verifications",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("document", Text, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("helpful", Boolean, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Moment, nullable=False),
)

procedure_marks = Table(
    "procedure_marks",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("step", String, primary_key=True),
    Column("document", Text, nullable=False),
)

status_updates = Table(
    "status_updates",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("sink", String, primary_key=True),
    Column("digest", String, nullable=False, default=""),
    Column("receipt", Text, nullable=False, default=""),
    Column("stage", String, nullable=False, default=""),
    Column("delivered_at", Moment),
    Column("trouble", Text, nullable=False, default=""),
    Column("dead", Boolean, nullable=False, default=False),
    Column("first_at", Moment),
    Column("storm", String, nullable=False, default="", server_default=""),
    Column("doubtful", Boolean, nullable=False, default=False, server_default=false()),
    Index("deliveries_by_sink", "sink", "first_at"),
    Index("deliveries_by_storm", "storm"),
)

storms = Table(
    "storms",
    metadata,
    Column("id", String, primary_key=True),
    Column("sink", String, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("joined_at", Moment, nullable=False),
)

actions = Table(
    "actions",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("action", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", Moment),
    Column("document", Text, nullable=False),
    Index("actions_by_start", "started_at"),
)

keys = Table(
    "keys",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("kind", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("lane", String, nullable=False, default=""),
    Column("due_at", Moment, nullable=False),
    Column("deferred_at", Moment, nullable=False),
    Column("generation", Integer, nullable=False, default=1),
    Column("attempts", Integer, nullable=False, default=0),
    Column("trouble", Text, nullable=False, default=""),
    Index("jobs_by_due", "due_at"),
)
