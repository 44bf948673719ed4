"""Opsgenie's Alert API v2 (docs.opsgenie.com, "Alert API"), which Jira Service Management speaks too."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr
from yarl import URL

from responder.errors import Permanent, Reason, Temporary
from responder.model.incident import Severity
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._http import Address, Answer, send
from responder.sinks._paging import Standing, addresses, blocks, headline, text, wanted, words
from responder.sinks._text import clean, cut, first_line

LONGEST_MESSAGE = 130
LONGEST_ALIAS = 512
LONGEST_DESCRIPTION = 15_000
LONGEST_TAG = 50
TAGS = 20
LONGEST_DETAIL = 1000
LONGEST_NOTE = 25_000
LOOKS = (0.0, 0.1, 0.3, 1.0, 2.0)
"""Pauses in seconds before each look at what became of a request."""
GONE = ("does not exist", "already", "is closed", "not found")
"""How the service says that there is nothing left to do on an alert that people closed or acknowledged."""
_PRIORITY = {Severity.P0: "P1", Severity.P1: "P2", Severity.P2: "P3", Severity.P3: "P4"}


class Opsgenie(Sink):
    """An alert of Opsgenie or of Jira Service Management's operations, known by its alias.

    It is acknowledged and closed as the incident is here; a finding changes its text and adds a note.
    """

    api_key: SecretStr | None = Field(None, description="key of an API integration")
    api_key_file: Path | None = Field(None, description="a file that holds it")
    url: Address = Field(
        "https://api.opsgenie.com",
        description="in Europe `https://api.eu.opsgenie.com`, of Jira Service Management "
        "`https://api.atlassian.com/jsm/ops/integration`",
    )
    teams: tuple[str, ...] = Field((), description="names of the teams that respond, where the integration has none")
    tags: tuple[str, ...] = Field((), description="more tags")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Bring the alert to the incident's state; the receipt is its alias and what it was told last."""
        standing, goal = Standing.read(receipt, alias(message)), wanted(message)
        if standing.late(message):
            return str(standing)
        if goal == "resolved":
            if standing.state != "resolved":
                await medium.keep(str(standing.ending(message)))
                note = cut(f"{first_line(message)}\n{headline(message)}", LONGEST_NOTE)
                await self._act(medium, standing, "close", {"source": "Responder", "note": note})
            return str(standing.told("resolved", message))
        if not standing.open:
            await medium.keep(str(standing.opening(message)))
            await self._do(medium, "POST", "/v2/alerts", self._alert(message))
            if standing.state in ("opening", "resolving"):
                # where one is open already, that only raised its count
                await self._rewrite(message, medium, standing)
            standing = standing.told("triggered", message)
            await medium.keep(str(standing))
        elif standing.words != words(message):
            await self._change(message, medium, standing)
            standing = standing.told(standing.state, message)
            await medium.keep(str(standing))
        if goal == "acknowledged" and standing.state != "acknowledged":
            by = {"source": "Responder", "user": cut(clean(message.acknowledged_by), 100)}
            await self._act(medium, standing, "acknowledge", by)
            standing = standing.told("acknowledged", message)
        return str(standing)

    def preview(self, message: Message) -> Preview:
        """The alert that would be created."""
        alert = self._alert(message)
        fields = {"priority": alert["priority"], "tags": ", ".join(alert["tags"]), **alert["details"]}
        return Preview(
            blocks=blocks(alert["message"], fields, alert["description"], {}),
            payload=json.dumps(alert, ensure_ascii=False, indent=2),
        )

    def _alert(self, message: Message) -> dict[str, Any]:
        alert = {
            "message": _message(message),
            "alias": alias(message),
            "description": _description(message),
            "responders": [{"name": team, "type": "team"} for team in self.teams],
            "tags": self._tags(message),
            "details": _details(message),
            "entity": cut(clean(message.subject), 512),
            "source": "Responder",
            "priority": _PRIORITY[message.severity],
        }
        return {name: value for name, value in alert.items() if value or name in ("tags", "details")}

    def _tags(self, message: Message) -> list[str]:
        found = ["responder", message.severity.value, message.labels.get("alertname", ""), *self.tags]
        tags = (cut(" ".join(clean(tag).replace(",", " ").split()), LONGEST_TAG) for tag in found)
        return list(dict.fromkeys(tag for tag in tags if tag))[:TAGS]

    async def _change(self, message: Message, medium: Medium, standing: Standing) -> None:
        """The text in place, which notifies nobody, and a note of it in the log."""
        await self._rewrite(message, medium, standing)
        note = cut(f"{headline(message)}\n\n{text(message)}", LONGEST_NOTE)
        await self._act(medium, standing, "notes", {"source": "Responder", "note": note})

    async def _rewrite(self, message: Message, medium: Medium, standing: Standing) -> None:
        await self._act(medium, standing, "message", {"message": _message(message)}, "PUT")
        await self._act(medium, standing, "description", {"description": _description(message)}, "PUT")
        await self._act(medium, standing, "priority", {"priority": _PRIORITY[message.severity]}, "PUT")

    async def _act(
        self, medium: Medium, standing: Standing, what: str, document: dict[str, Any], method: str = "POST"
    ) -> None:
        """Change the alert; one that people closed is left alone."""
        await self._do(medium, method, f"/v2/alerts/{_segment(standing.key)}/{what}?identifierType=alias", document)

    async def _do(self, medium: Medium, method: str, path: str, document: dict[str, Any]) -> None:
        """One request, and what became of it: 202 only says that it was taken."""
        taken = await self._send(medium, method, path, document)
        path_of_request = f"/v2/alerts/requests/{_segment(str(_field(taken, 'requestId')))}"
        trouble = Temporary(f"{taken.host} took a request and has not done it yet", Reason.TIMEOUT)
        for pause in LOOKS:
            await asyncio.sleep(pause)
            try:
                answer = await self._send(medium, "GET", path_of_request, None, (404,))
            except Temporary as again:
                # what was taken need not be sent again because a look at it failed
                trouble = again
                continue
            if answer.status == 404:
                continue
            data = _field(answer, "data")
            said = str(data.get("status", "")) if isinstance(data, dict) else ""
            if isinstance(data, dict) and data.get("isSuccess") is True:
                return
            if "/v2/alerts/" in path and any(word in said.lower() for word in GONE):
                return
            raise Permanent(f"{answer.host} did not do it: {clean(said)[:200]}", Reason.BAD_REQUEST)
        raise trouble

    async def _send(
        self, medium: Medium, method: str, path: str, document: dict[str, Any] | None, accept: tuple[int, ...] = ()
    ) -> Answer:
        key = await credentials.read(self.api_key, self.api_key_file, "api_key")
        return await send(
            medium.http,
            method,
            URL(self.url + path, encoded=True),
            headers={"Authorization": f"GenieKey {key}"},
            document=document,
            timeout=self.timeout.total_seconds(),
            secrets=[key],
            accept=accept,
        )


def alias(message: Message) -> str:
    """The same for all of an incident."""
    return f"responder-{message.key}"[:LONGEST_ALIAS]


def _message(message: Message) -> str:
    return cut(headline(message), LONGEST_MESSAGE)


def _description(message: Message) -> str:
    links = "\n".join(f"{title}: {url}" for title, url in addresses(message).items())
    return cut(f"{headline(message)}\n\n{links}\n\n{text(message)}".strip(), LONGEST_DESCRIPTION)


def _details(message: Message) -> dict[str, str]:
    best = message.report.findings[0] if message.report and message.report.findings else None
    found = {
        "incident": message.url,
        "state": first_line(message),
        "place": message.place,
        "cause": best.cause if best else "",
        "confidence": best.confidence.value if best else "",
        "runbook": message.report.runbook if message.report else "",
    }
    return {name: cut(clean(value), LONGEST_DETAIL) for name, value in found.items() if value}


def _segment(text: str) -> str:
    return quote(text, safe="")


def _field(answer: Answer, name: str) -> Any:
    said = answer.json()
    if not isinstance(said, dict) or not said.get(name):
        raise Temporary(f"{answer.host} answered {answer.status} without {name}: {answer.text}", Reason.BAD_ANSWER)
    return said[name]
