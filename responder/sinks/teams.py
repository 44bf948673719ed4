"""Microsoft Teams through a webhook of Workflows («When a Teams webhook request is received»).

Contract: https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors. An answer of 202 means
queued; nothing comes back that could be edited or found again, so a try of which nobody heard may be shown twice.
"""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr
from yarl import URL

from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._http import send
from responder.sinks._teams_card import preview, request


class Teams(Sink):
    """Posts an Adaptive Card to the channel or chat of the workflow."""

    gathers = True
    edits = False

    url: SecretStr | None = Field(None, description="the address of the workflow, whole, with its `sig`: a secret")
    url_file: Path | None = Field(None, description="a file that holds it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post a card, unless it is what was posted last."""
        if receipt == message.digest:
            return receipt
        given = await credentials.read_address(self.url, self.url_file)
        # as it was given: what is percent-encoded in it is signed
        url = URL(given, encoded=True)
        document = request(message, resent=medium.doubtful)
        seconds = self.timeout.total_seconds()
        await send(medium.http, "POST", url, document=document, timeout=seconds, secrets=credentials.pieces(given))
        return message.digest

    def preview(self, message: Message) -> Preview:
        """The card."""
        return preview(request(message))
