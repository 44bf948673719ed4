"""Any HTTP endpoint that takes JSON: the report as `GET /api/v1/incidents/{id}` returns it, or an event around it."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, SecretStr, field_validator
from standardwebhooks.webhooks import Webhook as Signer

from responder.errors import Permanent, Reason
from responder.model.message import Message
from responder.model.report import Report
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._cloudevents import Mode, encoded
from responder.sinks._http import send

GONE = 410
"""Standard Webhooks: the receiver wants no more."""


def schema() -> dict[str, Any]:
    """The JSON Schema of what is posted."""
    return Report.model_json_schema(mode="serialization")


class Webhook(Sink):
    """Posts the incident as it stands, on each change.

    With a secret the request is signed as Standard Webhooks has it; a secret file may hold several, one a
    line, so that they can be rotated. A receiver that answers 410 is told nothing more until a restart.
    """

    url: SecretStr = Field(description="where to post")
    secret: SecretStr | None = Field(default=None, description="`whsec_` and base64")
    secret_file: Path | None = Field(default=None, description="a file of secrets, one a line")
    token: SecretStr | None = Field(default=None, description="sent as bearer token")
    token_file: Path | None = Field(default=None, description="a file that holds it")
    headers: Mapping[str, SecretStr] = Field(default_factory=dict, description="more headers to send")
    format: Literal["report", "cloudevents"] = Field(
        "report", description="the report itself, or as the data of a CloudEvents 1.0 event"
    )
    mode: Mode = Field("binary", description="of CloudEvents: its attributes in headers, or one JSON envelope")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")
    _gone: bool = PrivateAttr(False)

    @field_validator("url")
    @classmethod
    def _http(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return url

    @field_validator("secret")
    @classmethod
    def _base64(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not _decodes(secret.get_secret_value()):
            raise ValueError("must be base64, with or without whsec_ before it")
        return secret

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post the report; returns the `webhook-id`.

        The id is made of the digest and the id before it: every retry carries the same, and a state that
        comes back later (an incident that reopens) another.
        """
        if self._gone:
            raise Permanent("the receiver answered 410: it wants no more; remove the sink", Reason.NOT_FOUND)
        secrets, token = await self._credentials()
        seed = f"{message.key}\n{receipt}\n{message.digest}"
        number = "msg_" + hashlib.blake2b(seed.encode(), digest_size=16).hexdigest()
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        given = [*headers.values(), *secrets, token]
        described, text = self._encoded(message, number)
        headers |= {"User-Agent": "responder", "webhook-id": number, **described}
        headers |= _signed(number, text, secrets)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = self.url.get_secret_value()
        seconds = self.timeout.total_seconds()
        hidden = [*given, url]
        answer = await send(
            medium.http,
            "POST",
            url,
            body=text.encode(),
            headers=headers,
            timeout=seconds,
            secrets=hidden,
            accept=(GONE,),
        )
        if answer.status == GONE:
            self._gone = True
            raise answer.trouble()
        return number

    def preview(self, message: Message) -> Preview:
        """The report as JSON, or the event."""
        payload = _report(message).model_dump_json(indent=2)
        if self.format == "cloudevents":
            headers, body = self._encoded(message, "msg_sample")
            above = "".join(f"{name}: {value}\n" for name, value in headers.items())
            payload = f"{above}\n{body if self.mode == 'structured' else payload}"
        return Preview(blocks=(Block(kind="code", text=payload),), payload=payload)

    def _encoded(self, message: Message, number: str) -> tuple[Mapping[str, str], str]:
        """Headers and body."""
        text = _report(message).model_dump_json()
        if self.format == "cloudevents":
            return encoded(message, number, text, self.mode)
        return {"Content-Type": "application/json"}, text

    async def _credentials(self) -> tuple[list[str], str]:
        """Secrets and token as they are now."""
        secrets = await credentials.every(self.secret, self.secret_file)
        if bad := [secret for secret in secrets if not _decodes(secret)]:
            raise Permanent(f"{self.secret_file}: {len(bad)} secrets are not base64", Reason.NOT_CONFIGURED)
        tokens = await credentials.every(self.token, None if self.token else self.token_file)
        return secrets, tokens[0] if tokens else ""


def _report(message: Message) -> Report:
    if message.report is None:
        raise Permanent("a storm is no incident of its own: it is not posted", Reason.BUG)
    return message.report


def _signed(number: str, text: str, secrets: list[str]) -> dict[str, str]:
    """Timestamp, and a signature for each secret, as the Standard Webhooks specification has it."""
    now = datetime.now(UTC)
    stamp = {"webhook-timestamp": str(int(now.timestamp()))}
    if not secrets:
        return stamp
    return stamp | {"webhook-signature": " ".join(Signer(secret).sign(number, now, text) for secret in secrets)}


def _decodes(secret: str) -> bool:
    encoded = secret.removeprefix("whsec_")
    try:
        return bool(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except (binascii.Error, ValueError):
        return False
