"""Alertmanager's API v2: the finding as an alert of its own (alertmanager, api/v2/openapi.yaml, POST /alerts)."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator

from responder.errors import Temporary
from responder.model.incident import IncidentStatus
from responder.model.labels import meant
from responder.model.links import web_address
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._http import Address, send
from responder.sinks._paging import addresses, blocks, headline, text
from responder.sinks._text import clean, cut, first_line

NAME = "ResponderFinding"
MARK = "responder_incident"
"""The label that our alerts have and others have not: what comes back with it is not answered with another."""
LONGEST_LABEL = 1000
LONGEST_TEXT = 8000

Labels = Mapping[str, str]


class Alertmanager(Sink):
    """The finding as an alert `ResponderFinding`, for what routes, inhibits and counts by labels.

    The alert ends when the incident does, or when its cause turns out to be another one. Send it anywhere but to
    Responder: what comes back is never answered with another alert.
    """

    urls: tuple[Address, ...] = Field(description="addresses of all Alertmanagers of the cluster")
    labels: Mapping[str, str] = Field(default_factory=dict, description="more labels, as `severity: info`")
    announce: bool = Field(False, description="whether there is an alert before there is a finding")
    expire: Duration = Field(timedelta(hours=24), description="when it ends by itself, if nothing is heard of it")
    token: SecretStr | None = Field(None, description="sent as bearer token")
    token_file: Path | None = Field(None, description="a file that holds it")
    username: str = Field("", description="for basic authentication, in place of a token")
    password: SecretStr | None = Field(None, description="for basic authentication")
    password_file: Path | None = Field(None, description="a file that holds it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    @field_validator("urls")
    @classmethod
    def _some(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if not urls:
            raise ValueError("must name at least one Alertmanager")
        return urls

    @field_validator("labels")
    @classmethod
    def _not_ours(cls, labels: Mapping[str, str]) -> Mapping[str, str]:
        if taken := sorted({"alertname", MARK} & labels.keys()):
            raise ValueError(f"{taken[0]} is set by the sink")
        if bad := [name for name in labels if not name.replace("_", "a").isalnum() or not name.isascii()]:
            raise ValueError(f"{bad[0]!r} is no name of a label")
        return labels

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post the alert, and the end of the one before it; the receipt is the labels that burn there."""
        burning = _read(receipt)
        wanted = self._wanted(message)
        if wanted:
            # what is kept are the labels to end, should nobody hear how this went
            await medium.keep(_receipt(wanted, burning))
        alerts = [_ended(message, labels, medium.now) for labels in burning if labels != wanted]
        if wanted:
            alerts.append(self._firing(message, wanted, medium.now))
        if alerts:
            await self._post(medium, alerts)
        return _receipt(wanted) if wanted else f"{message.key} []"

    def preview(self, message: Message) -> Preview:
        """The alert that would be posted."""
        over = message.status is IncidentStatus.RESOLVED
        labels = self._labels(message)
        alert = (
            _ended(message, labels, message.updated_at) if over else self._firing(message, labels, message.updated_at)
        )
        notes = alert["annotations"]
        links = {name: url for name, url in notes.items() if web_address(url)}
        return Preview(
            blocks=blocks(notes["summary"], labels, notes.get("description", ""), links),
            payload=json.dumps([alert], ensure_ascii=False, indent=2),
        )

    def _wanted(self, message: Message) -> Labels:
        """The labels that should burn, empty for none."""
        over = message.status is IncidentStatus.RESOLVED
        if over or _is_our_own(message) or not (message.cause or self.announce):
            return {}
        return self._labels(message)

    def _labels(self, message: Message) -> Labels:
        best = message.report.findings[0] if message.report and message.report.findings else None
        target = message.report.target if message.report else None
        found = {
            **self.labels,
            "cluster": target.cluster if target else "",
            "namespace": (target.namespace if target else "") or meant(message.labels).get("namespace", ""),
            "subject": message.subject,
            "cause": best.cause if best else "",
            "confidence": best.confidence.value if best else "",
            "priority": message.severity.value,
            "alertname": NAME,
            MARK: message.key,
        }
        return {name: cut(clean(value), LONGEST_LABEL) for name, value in sorted(found.items()) if clean(value)}

    def _firing(self, message: Message, labels: Labels, now: datetime) -> dict[str, Any]:
        return _alert(message, labels, message.started_at, max(now, message.started_at) + self.expire)

    async def _post(self, medium: Medium, alerts: Sequence[Mapping[str, Any]]) -> None:
        """To all Alertmanagers of the cluster, of which one is enough: they tell each other what they sent, not what
        burns.
        """
        headers, hidden = await self._credentials()

        async def post(url: str) -> None:
            await send(
                medium.http,
                "POST",
                f"{url}/api/v2/alerts",
                headers=headers,
                document=alerts,
                timeout=self.timeout.total_seconds(),
                secrets=hidden,
            )

        outcomes = await asyncio.gather(*map(post, self.urls), return_exceptions=True)
        troubles = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if len(troubles) == len(self.urls):
            raise next((trouble for trouble in troubles if isinstance(trouble, Temporary)), troubles[0])

    async def _credentials(self) -> tuple[Mapping[str, str], Sequence[str]]:
        tokens = await credentials.every(self.token, self.token_file)
        if tokens:
            return {"Authorization": f"Bearer {tokens[0]}"}, tokens
        if self.username:
            passwords = await credentials.every(self.password, self.password_file) or [""]
            header = credentials.basic(self.username, passwords[0])
            return {"Authorization": header}, [passwords[0], header.removeprefix("Basic ")]
        return {}, ()


def _is_our_own(message: Message) -> bool:
    """Whether the incident is about an alert that this sink posted."""
    alerts = message.report.alerts if message.report else ()
    return MARK in message.labels or any(MARK in alert.labels for alert in alerts)


def _ended(message: Message, labels: Labels, now: datetime) -> dict[str, Any]:
    end = min(message.resolved_at or now, now)
    return _alert(message, labels, message.started_at, max(end, message.started_at))


def _alert(message: Message, labels: Labels, start: datetime, end: datetime) -> dict[str, Any]:
    notes = {
        "summary": headline(message),
        "description": text(message),
        "state": first_line(message),
        **{f"{_name(title)}_url": url for title, url in addresses(message).items()},
    }
    alert = {
        "labels": labels,
        "annotations": {name: cut(value, LONGEST_TEXT) for name, value in notes.items() if value},
        "startsAt": start.isoformat(),
        "endsAt": end.isoformat(),
        "generatorURL": web_address(message.url),
    }
    return {name: value for name, value in alert.items() if value}


def _name(title: str) -> str:
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in title.lower())
    return letters if letters[:1].isalpha() else f"link_{letters}"


def _receipt(labels: Labels, burning: Sequence[Labels] = ()) -> str:
    every = [dict(one) for one in (labels, *(one for one in burning if one != labels))]
    return f"{labels[MARK]} {json.dumps(every, ensure_ascii=False)}"


def _read(receipt: str) -> list[Labels]:
    """The label sets that may burn there."""
    try:
        found = json.loads(receipt.partition(" ")[2] or "[]")
    except (ValueError, RecursionError):
        return []
    every = found if isinstance(found, list) else []
    return [one for one in every if isinstance(one, dict) and one.get("alertname") == NAME]
