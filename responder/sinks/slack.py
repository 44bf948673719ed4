"""Slack through a bot: one message for each incident, edited in place; evidence and charts are replies to it.

Contracts: https://docs.slack.dev. Slack takes no key, so a try of which nobody heard the answer is looked for by the
metadata of its message.
"""

import hashlib
from datetime import timedelta
from pathlib import Path

import structlog
from pydantic import Field, SecretStr

from responder.errors import Permanent, Reason
from responder.model.incident import IncidentStatus
from responder.model.message import Message, Picture
from responder.model.record import Record
from responder.model.runbook import Duration
from responder.sinks import Call, Heard, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks import _receipt as receipts
from responder.sinks._http import Address
from responder.sinks._slack_api import Refused, SlackApi
from responder.sinks._slack_blocks import Rendered, change, details, preview, root
from responder.sinks._slack_calls import read_call
from responder.sinks._slack_thread import Kind, SlackThread

log = structlog.get_logger(__name__)

API = "https://slack.com/api/"


class Posted(Record):
    """What is shown so far: the receipt. `charts` are the names of uploaded files, `details` the ts of that reply."""

    channel: str = ""
    ts: str = ""
    digest: str = ""
    details: str = ""
    details_digest: str = ""
    charts: tuple[str, ...] = ()
    over: bool = False


class Slack(Sink):
    """Posts to a channel as a bot.

    With a signing secret its buttons act at once; without, they open a page that asks first.
    """

    gathers = True

    token: SecretStr | None = Field(None, description="the bot token, `xoxb-…`")
    token_file: Path | None = Field(None, description="a file that holds it")
    channel: str = Field(min_length=1, description="the ID of the channel, `C…` (needed to find own messages again)")
    signing_secret: SecretStr | None = Field(None, description="of the app: what Slack signs clicks with")
    signing_secret_file: Path | None = Field(None, description="a file that holds it")
    charts: bool = Field(True, description="whether charts are uploaded into the thread (scope `files:write`)")
    api_url: Address = Field(API, description="where Slack's Web API is")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post the root, or edit it; then details, charts and the change of state as replies.

        What was done is kept after each step. Returns the receipt as JSON.
        """
        token = await credentials.read(self.token, self.token_file, "token")
        api = SlackApi(medium.http, token, self.api_url, self.timeout.total_seconds())
        thread = SlackThread(api, medium.http, self.channel, message.key, self.timeout.total_seconds())
        posted = await self._root(message, receipts.read(Posted, receipt) or Posted(), thread, medium)
        posted = await _details(message, posted, thread, medium)
        if self.charts:
            posted = await _charts(message, posted, thread, medium)
        posted = await _change(message, posted, thread, medium)
        return posted.model_dump_json()

    def preview(self, message: Message) -> Preview:
        """The root, and the details that follow it."""
        shown = [root(message, calls_back=self._calls_back), details(message)]
        return preview(*(rendered for rendered in shown if rendered))

    async def hear(self, call: Call) -> Heard:
        """The clicks on our buttons, once the signature is good; also Slack's check of the address."""
        if not self._calls_back:
            raise Permanent(f"sink {self.name!r} has no signing_secret: nobody can call it", Reason.NOT_FOUND)
        secret = await credentials.read(self.signing_secret, self.signing_secret_file, "signing_secret")
        return read_call(call, secret)

    @property
    def _calls_back(self) -> bool:
        return bool(self.signing_secret or self.signing_secret_file)

    async def _root(self, message: Message, posted: Posted, thread: SlackThread, medium: Medium) -> Posted:
        resent = False
        if not posted.ts and medium.doubtful:
            found = await thread.find_root(message.started_at)
            resent = found is None
            posted = Posted(channel=found.channel, ts=found.ts) if found and found.ts else posted
        rendered = root(message, calls_back=self._calls_back, resent=resent)
        if posted.ts and posted.digest != message.digest:
            try:
                await thread.update("root", posted.channel, posted.ts, rendered, message.digest)
            except Refused as refused:
                if refused.code != "message_not_found":
                    raise
                posted = Posted()
        if not posted.ts:
            channel, ts = await thread.post("root", self.channel, "", rendered, message.digest)
            posted = Posted(channel=channel, ts=ts, over=message.status is IncidentStatus.RESOLVED)
        return await receipts.kept(posted, medium, digest=message.digest)


async def _details(message: Message, posted: Posted, thread: SlackThread, medium: Medium) -> Posted:
    rendered = details(message)
    if rendered is None:
        return posted
    digest = _digest(rendered)
    if digest == posted.details_digest:
        return posted
    ts = posted.details
    if not ts and medium.doubtful:
        ts = (await thread.replies(posted.channel, posted.ts)).details
    if ts:
        try:
            await thread.update("details", posted.channel, ts, rendered, digest)
        except Refused as refused:
            if refused.code != "message_not_found":
                raise
            ts = ""
    if not ts:
        _, ts = await thread.post("details", posted.channel, posted.ts, rendered, digest)
    return await receipts.kept(posted, medium, details=ts, details_digest=digest)


async def _charts(message: Message, posted: Posted, thread: SlackThread, medium: Medium) -> Posted:
    """Upload what is not there yet. A chart that Slack refuses is left out: the words are there already."""
    wanted = {_file_name(picture): picture for picture in message.pictures}
    missing = [name for name in wanted if name not in posted.charts]
    if missing and medium.doubtful:
        there = (await thread.replies(posted.channel, posted.ts)).files
        posted = await receipts.kept(
            posted, medium, charts=(*posted.charts, *(name for name in missing if name in there))
        )
        missing = [name for name in missing if name not in there]
    for name in missing:
        if png := await medium.draw(wanted[name]):
            try:
                await thread.upload(posted.channel, posted.ts, name, wanted[name].title, png)
            except Permanent as trouble:
                log.warning("slack.chart_refused", incident=message.key, error=str(trouble))
            posted = await receipts.kept(posted, medium, charts=(*posted.charts, name))
    return posted


async def _change(message: Message, posted: Posted, thread: SlackThread, medium: Medium) -> Posted:
    over = message.status is IncidentStatus.RESOLVED
    if over == posted.over:
        return posted
    rendered = change(message)
    kind: Kind = "resolved" if over else "again"
    there = await thread.replies(posted.channel, posted.ts) if medium.doubtful else None
    if there is None or there.last_change != kind:
        await thread.post(kind, posted.channel, posted.ts, rendered, message.digest)
    return await receipts.kept(posted, medium, over=over)


def _file_name(picture: Picture) -> str:
    said = f"{picture.title}\n{picture.chart.query}"
    return f"chart-{hashlib.blake2b(said.encode(), digest_size=6).hexdigest()}.png"


def _digest(rendered: Rendered) -> str:
    return hashlib.blake2b(repr(rendered).encode("utf-8", "replace"), digest_size=12).hexdigest()
