"""Deliveries as they came, and those that were refused."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy import insert as insert_into

from responder.store.tables import notifications, rejections

WORTH_COMPRESSING = 2048
"""Bytes."""


@dataclass(frozen=True)
class Delivery:
    """An accepted body."""

    received_at: datetime
    body: bytes
    alerts: int
    sender: str


@dataclass(frozen=True)
class Stored:
    """A delivery that is not folded yet."""

    id: int
    received_at: datetime
    body: bytes
    sender: str = ""


def insert(connection: Connection, deliveries: Sequence[Delivery]) -> list[int]:
    """Store deliveries; their ids grow in the order given."""
    rows = [
        {
            "received_at": delivery.received_at,
            "sender": delivery.sender,
            "alerts": delivery.alerts,
            **_packed(delivery.body),
        }
        for delivery in deliveries
    ]
    statement = insert_into(notifications).returning(notifications.c.id, sort_by_parameter_order=True)
    return list(connection.scalars(statement, rows))


def to_fold(connection: Connection, *, limit: int, alerts: int) -> list[Stored]:
    """The oldest deliveries that are not folded, at least one, within both bounds."""
    waiting = select(notifications.c.id, notifications.c.alerts).where(~notifications.c.folded)
    ids: list[int] = []
    total = 0
    for number, count in connection.execute(waiting.order_by(notifications.c.id).limit(limit)):
        total += count
        if ids and total > alerts:
            break
        ids.append(number)
    wanted = select(notifications).where(notifications.c.id.in_(ids)).order_by(notifications.c.id)
    return [
        Stored(row.id, row.received_at, _unpacked(row.body, row.compressed), row.sender)
        for row in connection.execute(wanted)
    ]


def backlog(connection: Connection) -> int:
    """How many deliveries are not folded yet."""
    return connection.scalar(select(func.count()).where(~notifications.c.folded)) or 0


def latest(connection: Connection) -> datetime | None:
    """When the last delivery came."""
    newest = select(notifications.c.received_at).order_by(notifications.c.id.desc()).limit(1)
    return connection.scalar(newest)


def mark_folded(connection: Connection, ids: Sequence[int], trouble: str = "") -> None:
    """Never fold these again; `trouble` says why nothing came of them."""
    done = update(notifications).where(notifications.c.id.in_(ids)).values(folded=True, trouble=trouble)
    connection.execute(done)


def reject(
    connection: Connection,
    received_at: datetime,
    reason: str,
    problems: list[dict[str, Any]],
    body: bytes,
    keep: int,
) -> None:
    """Keep a refused body for the operator, and of all such bodies only the newest `keep`."""
    row = {"received_at": received_at, "reason": reason, "problems": json.dumps(problems), "body": body}
    connection.execute(insert_into(rejections), [row])
    newest = select(rejections.c.id).order_by(rejections.c.id.desc()).limit(keep)
    connection.execute(delete(rejections).where(rejections.c.id.not_in(newest)))


def rejected(connection: Connection) -> list[dict[str, Any]]:
    """The refused bodies, newest first."""
    return [
        {
            "received_at": row.received_at,
            "reason": row.reason,
            "problems": json.loads(row.problems),
            "body": row.body.decode("utf-8", "replace"),
        }
        for row in connection.execute(select(rejections).order_by(rejections.c.id.desc()))
    ]


def forget(connection: Connection, before: datetime) -> None:
    """Drop folded deliveries older than that."""
    old = notifications.c.received_at < before
    connection.execute(delete(notifications).where(old, notifications.c.folded))


def _packed(body: bytes) -> dict[str, object]:
    """A large body compressed: alerts repeat themselves, and what is not written need not reach the disk."""
    if len(body) < WORTH_COMPRESSING:
        return {"body": body, "compressed": False}
    return {"body": zlib.compress(body, 1), "compressed": True}


def _unpacked(body: bytes, compressed: bool) -> bytes:
    return zlib.decompress(body) if compressed else body
