"""Mattermost through an incoming webhook: the simple form. What was posted cannot be edited.

Contract: https://developers.mattermost.com/integrate/webhooks/incoming. Without key and without search: a try of
which nobody heard the answer may be shown twice.
"""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr

from responder.errors import Reason, Temporary
from responder.model.links import web_address
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._chat import colour
from responder.sinks._http import send
from responder.sinks._mattermost import escape, preview, whole


class MattermostWebhook(Sink):
    """Posts to the channel that the webhook belongs to; its buttons open a page that asks first."""

    gathers = True
    edits = False

    url: SecretStr | None = Field(None, description="the webhook, `https://chat.example/hooks/…`: a secret")
    url_file: Path | None = Field(None, description="a file that holds it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post the message, unless it is what was posted last; charts by their address."""
        if receipt == message.digest:
            return receipt
        url = await credentials.read_address(self.url, self.url_file)
        charts = [
            {
                "fallback": escape(picture.title),
                "title": escape(picture.title),
                "image_url": picture.url,
                "color": f"#{colour(message):06x}",
            }
            for picture in message.pictures
            if web_address(picture.url).startswith("https://")
        ]
        document = {"text": whole(message, resent=medium.doubtful), **({"attachments": charts} if charts else {})}
        seconds = self.timeout.total_seconds()
        answer = await send(
            medium.http, "POST", url, document=document, timeout=seconds, secrets=credentials.pieces(url)
        )
        if answer.body.strip() != b"ok":
            raise Temporary(f"{answer.host} did not answer as Mattermost does: {answer.text}", Reason.BAD_ANSWER)
        return message.digest

    def preview(self, message: Message) -> Preview:
        """The one post."""
        return preview(message, threaded=False)
