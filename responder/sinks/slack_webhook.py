"""Slack through an incoming webhook: the simple form. What was posted cannot be edited, and there are no threads.

Contract: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. Without key and without search: a
try of which nobody heard the answer may be shown twice.
"""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr

from responder.errors import Permanent, Reason, Temporary
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._http import send
from responder.sinks._slack_blocks import Rendered, preview, whole


class SlackWebhook(Sink):
    """Posts to the channel that the webhook belongs to; its buttons open a page that asks first."""

    gathers = True
    edits = False

    url: SecretStr | None = Field(None, description="the webhook, `https://hooks.slack.com/services/…`: a secret")
    url_file: Path | None = Field(None, description="a file that holds it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post the message, unless it is what was posted last. Charts that Slack cannot fetch are left out."""
        if receipt == message.digest:
            return receipt
        url = await credentials.read_address(self.url, self.url_file)
        rendered = whole(message, pictures=True, resent=medium.doubtful)
        plain = whole(message, pictures=False, resent=medium.doubtful)
        try:
            await self._post(url, rendered, medium)
        except Permanent as refused:
            if refused.reason is not Reason.BAD_REQUEST or plain == rendered:
                raise
            await self._post(url, plain, medium)
        return message.digest

    def preview(self, message: Message) -> Preview:
        """The one message."""
        return preview(whole(message, pictures=True))

    async def _post(self, url: str, rendered: Rendered, medium: Medium) -> None:
        document = {"text": rendered.text, "blocks": rendered.blocks}
        seconds = self.timeout.total_seconds()
        answer = await send(
            medium.http, "POST", url, document=document, timeout=seconds, secrets=credentials.pieces(url)
        )
        if answer.body.strip() != b"ok":
            raise Temporary(f"{answer.host} did not answer as Slack does: {answer.text}", Reason.BAD_ANSWER)
