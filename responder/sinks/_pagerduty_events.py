"""The events of PagerDuty's Events API v2, within its limits."""

import json
from typing import Any
from urllib.parse import urlsplit

from responder.model.labels import meant
from responder.model.links import web_address
from responder.model.message import Message
from responder.sinks._paging import addresses, headline, lines
from responder.sinks._text import clean, cut, first_line, parts, utf8

LONGEST_SUMMARY = 1024
LONGEST_KEY = 255
LARGEST = 512_000
"""Bytes of a request, the routing key included, for which ROOM is left."""
ROOM = 256


def trigger(message: Message, dedup_key: str, severity: str) -> dict[str, Any]:
    """An event that opens an alert, or adds to an open one with the same key."""
    payload: dict[str, Any] = {
        "summary": cut(headline(message), LONGEST_SUMMARY),
        "source": clean(message.place) or "unknown",
        "severity": severity,
        "timestamp": message.started_at.isoformat(),
        "component": clean(message.subject),
        "group": clean(meant(message.labels).get("namespace", "")),
        "class": clean(message.labels.get("alertname", "")),
        "custom_details": details(message),
    }
    event = {
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "payload": {name: value for name, value in payload.items() if value},
        "client": "Responder",
        "client_url": web_address(message.url),
        "links": [{"href": url, "text": title} for title, url in addresses(message).items()],
        "images": _images(message),
    }
    return {name: value for name, value in event.items() if value}


def change(message: Message) -> dict[str, Any]:
    """A change event: it is shown beside the service's incidents and notifies nobody."""
    event = {
        "payload": {
            "summary": cut(headline(message), LONGEST_SUMMARY),
            "source": clean(message.place) or "unknown",
            "timestamp": message.updated_at.isoformat(),
            "custom_details": details(message),
        },
        "links": [{"href": url, "text": title} for title, url in addresses(message).items()],
        "images": _images(message),
    }
    return {name: value for name, value in event.items() if value}


def details(message: Message) -> dict[str, str]:
    """The parts of the message, as PagerDuty shows them: a table of texts."""
    found = {"State": first_line(message)}
    found |= {part.title: lines(part.lines, numbered=part.numbered) for part in parts(message)}
    return {name: text for name, text in found.items() if text}


def fitting(event: dict[str, Any]) -> dict[str, Any]:
    """The event with as many of its details as fit into a request; those that come first matter most."""
    found = event["payload"].get("custom_details", {})
    while size(event) > LARGEST - ROOM and found:
        found = dict(list(found.items())[:-1])
        event = {**event, "payload": {**event["payload"], "custom_details": found}}
    return event


def size(event: dict[str, Any]) -> int:
    """The bytes of its JSON."""
    return utf8(json.dumps(event, ensure_ascii=False))


def _images(message: Message) -> list[dict[str, str]]:
    return [
        {"src": picture.url, "href": message.url, "alt": clean(picture.title)}
        if web_address(message.url)
        else {"src": picture.url, "alt": clean(picture.title)}
        for picture in message.pictures
        if web_address(picture.url) and urlsplit(picture.url).scheme == "https"
    ]
