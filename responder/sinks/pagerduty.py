"""PagerDuty: Events API v2 (developer.pagerduty.com, "Events API v2") and webhooks v3 back."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from responder.errors import Permanent, Reason, Temporary
from responder.model.incident import AlertState, Severity
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Call, Heard, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._http import Address, send
from responder.sinks._pagerduty_events import LONGEST_KEY, change, fitting, trigger
from responder.sinks._pagerduty_webhooks import read
from responder.sinks._paging import Standing, blocks, wanted, words

PREFIX = "responder/"
PAUSE = 30.0
"""Seconds to wait after 429 where the answer does not say; PagerDuty's advice."""
_SEVERITY = {Severity.P0: "critical", Severity.P1: "error", Severity.P2: "warning", Severity.P3: "info"}


class Pagerduty(Sink):
    """An alert of a PagerDuty service: triggered, acknowledged and resolved as the incident is here.

    With a webhook secret it listens: who acknowledges in PagerDuty acknowledges here.
    """

    routing_key: SecretStr | None = Field(None, description="integration key of an Events API v2 integration")
    routing_key_file: Path | None = Field(None, description="a file that holds it")
    url: Address = Field("https://events.pagerduty.com", description="in Europe `https://events.eu.pagerduty.com`")
    findings: Literal["trigger", "change", "none"] = Field(
        "trigger",
        description="how news of an open alert arrive: as a log entry of the alert, as a change event of the service",
    )
    webhook_secret: SecretStr | None = Field(None, description="secret of a webhook subscription (v3)")
    webhook_secret_file: Path | None = Field(None, description="a file of such secrets, one a line")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    @field_validator("routing_key")
    @classmethod
    def _length(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) != 32:
            raise ValueError("must have 32 characters")
        return key

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Bring the alert to the incident's state; the receipt is its key and what it was told last."""
        key = await credentials.read(self.routing_key, self.routing_key_file, "routing_key")
        standing, goal = Standing.read(receipt, dedup_key(message)), wanted(message)
        if standing.late(message):
            return str(standing)
        if goal == "resolved":
            if standing.state != "resolved":
                await medium.keep(str(standing.ending(message)))
                await self._event(medium, key, {"event_action": "resolve", "dedup_key": standing.key})
            return str(standing.told("resolved", message))
        if not standing.open:
            await medium.keep(str(standing.opening(message)))
            await self._event(medium, key, _triggered(message))
            standing = standing.told("triggered", message)
            await medium.keep(str(standing))
        elif standing.words != words(message):
            await self._news(message, medium, key)
            standing = standing.told(standing.state, message)
            await medium.keep(str(standing))
        if goal == "acknowledged" and standing.state != "acknowledged":
            await self._event(medium, key, {"event_action": "acknowledge", "dedup_key": standing.key})
            standing = standing.told("acknowledged", message)
        return str(standing)

    def preview(self, message: Message) -> Preview:
        """The alert that would be triggered."""
        event = _triggered(message)
        payload = event["payload"]
        fields = {name: payload[name] for name in ("severity", "source", "component", "group") if name in payload}
        body = "\n\n".join(f"{name}\n{text}" for name, text in payload.get("custom_details", {}).items())
        links = {link["text"]: link["href"] for link in event.get("links", ())}
        return Preview(
            blocks=blocks(payload["summary"], fields, body, links),
            payload=json.dumps(event, ensure_ascii=False, indent=2),
        )

    async def hear(self, call: Call) -> Heard:
        """Acknowledgements, signed by one of the webhook secrets."""
        secrets = await credentials.every(self.webhook_secret, self.webhook_secret_file)
        if not secrets:
            message = "no webhook_secret is set: calls of PagerDuty cannot be checked"
            raise Permanent(message, Reason.UNAUTHORIZED)
        return read(call, secrets, PREFIX)

    async def _news(self, message: Message, medium: Medium, key: str) -> None:
        if self.findings == "trigger":
            await self._event(medium, key, _triggered(message))
        elif self.findings == "change":
            await self._post(medium, "/v2/change/enqueue", key, fitting(change(message)))

    async def _event(self, medium: Medium, key: str, event: dict[str, Any]) -> None:
        await self._post(medium, "/v2/enqueue", key, event)

    async def _post(self, medium: Medium, path: str, key: str, event: dict[str, Any]) -> None:
        try:
            answer = await send(
                medium.http,
                "POST",
                self.url + path,
                document={"routing_key": key, **event},
                timeout=self.timeout.total_seconds(),
                secrets=[key],
            )
        except Temporary as trouble:
            if trouble.reason is Reason.OVERLOADED and trouble.after is None:
                raise Temporary(str(trouble), trouble.reason, PAUSE) from None
            raise
        except Permanent as trouble:
            said = str(trouble).lower().replace("_", " ")
            if trouble.reason is Reason.BAD_REQUEST and "routing key" in said:
                raise Permanent(f"{trouble}: check routing_key", Reason.UNAUTHORIZED) from None
            raise
        said = answer.json()
        if not isinstance(said, dict) or said.get("status") != "success":
            raise Temporary(f"{answer.host} answered {answer.status}: {answer.text}", Reason.BAD_ANSWER)


def dedup_key(message: Message) -> str:
    """The same for all of an incident."""
    return f"{PREFIX}{message.key}"[:LONGEST_KEY]


def _triggered(message: Message) -> dict[str, Any]:
    return fitting(trigger(message, dedup_key(message), severity(message)))


def severity(message: Message) -> str:
    """The incident's, or what an alert that fires calls itself, if that is more severe."""
    alerts = message.report.alerts if message.report else ()
    own = {alert.labels.get("severity", "").lower() for alert in alerts if alert.state is not AlertState.RESOLVED}
    wanted = own | {_SEVERITY[message.severity]}
    return next(word for word in _SEVERITY.values() if word in wanted)
