"""Kubernetes events: the finding where `kubectl describe` and `kubectl events` show it (core/v1, Event)."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from responder.clients import Exists, Kubernetes
from responder.clients.objects import COMPONENT
from responder.errors import Permanent, Reason
from responder.model.incident import IncidentStatus
from responder.model.links import web_address
from responder.model.message import Message
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks._kubernetes_objects import Place, event_name, place_of
from responder.sinks._paging import addresses, headline, text
from responder.sinks._text import clean, cut, utf8

LONGEST_MESSAGE = 1024
LONGEST_REASON = 128
"""Bytes, as the API server counts."""
_REASONS = {"announced": "Investigating", "diagnosed": "Diagnosed", "resolved": "Resolved"}


class KubernetesEvent(Sink):
    """An event on the object at fault, in the incident's cluster; later news change it and raise its count.

    Incidents that no object of the cluster is known for have none.
    """

    announce: bool = Field(False, description="whether there is an event before there is a finding")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Write the event; the receipt is its namespace and name, and its count."""
        place = place_of(message)
        if place is None or not (message.cause or self.announce or receipt):
            return receipt
        kubernetes = medium.cluster(message).kubernetes
        name, space = event_name(place, message.key), place.event_namespace
        count = _count(receipt, f"{space}/{name}")
        if count:
            try:
                await kubernetes.patch("events", name, _changes(message, medium.now, count + 1), namespace=space)
            except Permanent as trouble:
                # the cluster forgets events, after an hour by default
                if trouble.reason is not Reason.NOT_FOUND:
                    raise
            else:
                return f"{space}/{name} {count + 1}"
        event = _event(message, place, medium.now, await _identity(kubernetes, place))
        try:
            await kubernetes.create("events", event, namespace=space)
        except Exists:
            changes = {field: value for field, value in _changes(message, medium.now).items() if field != "count"}
            await kubernetes.patch("events", name, changes, namespace=space)
        return f"{space}/{name} 1"

    def preview(self, message: Message) -> Preview:
        """The event that would be written."""
        place = place_of(message)
        if place is None:
            said = "No event: no object of the cluster is known."
            return Preview(blocks=(Block(kind="text", text=f"{said}\n{headline(message)}"),), payload=said)
        event = _event(message, place, message.updated_at, {})
        about = f"{place.kind} {place.namespace}/{place.name}" if place.namespace else f"{place.kind} {place.name}"
        line = f"{event['type']}  {event['reason']}  {about}  {COMPONENT}"
        return Preview(
            blocks=(Block(kind="code", text=line), Block(kind="text", text=event["message"])),
            payload=json.dumps(event, ensure_ascii=False, indent=2),
        )


async def _identity(kubernetes: Kubernetes, place: Place) -> Mapping[str, str]:
    """The object's version and uid, by which `kubectl describe` finds events; without them where it cannot be read."""
    try:
        found = await kubernetes.get(place.resource, place.name, namespace=place.namespace)
    except Permanent:
        return {}
    uid = found.get("metadata", {}).get("uid")
    return {"apiVersion": str(found["apiVersion"])} | ({"uid": str(uid)} if uid else {})


def _event(message: Message, place: Place, now: datetime, identity: Mapping[str, str]) -> dict[str, Any]:
    """The whole event; without `eventTime`, so that it can be changed."""
    about = {"apiVersion": place.version, "kind": place.kind, "name": place.name, **identity}
    if place.namespace:
        about["namespace"] = place.namespace
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": event_name(place, message.key),
            "namespace": place.event_namespace,
            "labels": {"app.kubernetes.io/managed-by": COMPONENT},
        },
        "involvedObject": about,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "firstTimestamp": _time(message.started_at),
        **_changes(message, now),
    }


def _changes(message: Message, now: datetime, count: int = 1) -> dict[str, Any]:
    """What later news change."""
    over = message.status is IncidentStatus.RESOLVED
    return {
        "type": "Normal" if over else "Warning",
        "reason": _REASONS[message.stage][:LONGEST_REASON],
        "message": _message(message),
        "lastTimestamp": _time(now),
        "count": count,
    }


def _message(message: Message) -> str:
    """Severity and headline, then as much of the parts and links as fits, and the incident's page."""
    address = web_address(message.url)
    link = f" {address}" if address and utf8(address) < LONGEST_MESSAGE // 2 else ""
    links = "\n".join(f"{title}: {url}" for title, url in addresses(message).items() if url != address)
    said = clean(f"{message.severity.value} {headline(message)}\n{text(message)}\n\n{links}").strip()
    return cut(said, LONGEST_MESSAGE - utf8(link), utf8) + link


def _count(receipt: str, where: str) -> int:
    """How often the event was told, 0 if it was another one."""
    place, _, count = receipt.partition(" ")
    return int(count) if place == where and count.isdecimal() and count.isascii() else 0


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
