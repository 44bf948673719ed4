"""Atlassian Statuspage: the public words of an incident, when somebody said that they may be published."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from yarl import URL

from responder.errors import Permanent, Reason, Temporary
from responder.model.communication import PublicUpdate
from responder.model.links import web_address
from responder.model.message import Message
from responder.model.record import Record
from responder.model.runbook import Duration
from responder.sinks import Medium
from responder.sinks import _credentials as credentials
from responder.sinks._http import Answer, judge, send
from responder.sinks._public import PublicReceipt, PublicSink, fingerprint, public_key, public_words, read

ID = r"[A-Za-z0-9_-]{1,64}"
SLOW_DOWN = 420
PAUSE = "60"
"""Seconds: the limit is counted over a minute, and no answer says when it ends."""
LISTED = "100"
_IMPACT = {"P0": "critical", "P1": "major", "P2": "minor", "P3": "none"}
_STATUS = {"P0": "major_outage", "P1": "partial_outage", "P2": "degraded_performance", "P3": "degraded_performance"}


class Component(Record):
    """A component that incidents affect: all of them, or those whose alerts have these labels."""

    id: str = Field(pattern=f"^{ID}$")
    status: Literal["", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"] = ""
    labels: Mapping[str, str] = Field(default_factory=dict)


class Statuspage(PublicSink):
    """Tells the public through Atlassian Statuspage, in the words of the runbook's templates and no others.

    Statuspage has no drafts of incidents: until `publish` is set nothing is sent at all. Postmortems are the
    exception: they are left there as drafts, unless `publish_postmortem` is set.
    """

    page_id: str = Field(pattern=f"^{ID}$", description="the page")
    token: SecretStr | None = Field(None, description="an API key of the organisation")
    token_file: Path | None = Field(None, description="a file that holds it")
    deliver_notifications: bool = Field(True, description="whether subscribers are told of each update")
    publish_postmortem: bool = Field(False, description="whether a postmortem is published, or left as draft there")
    components: tuple[Component, ...] = Field(
        (), description="what is affected: `id`, `status` (else by severity), `labels` that the alerts must have"
    )
    url: str = Field("https://api.statuspage.io/v1", description="where the API is")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        if not web_address(url):
            raise ValueError("must be an address that starts with http:// or https://")
        return url

    @model_validator(mode="after")
    def _key(self) -> "Statuspage":
        if self.publish and not (self.token or self.token_file):
            raise ValueError("publish needs token or token_file")
        return self

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Create the incident, or add an update to it; nothing where there are no public words."""
        if message.public is None:
            return receipt
        public = public_words(message.public)
        last = read(receipt)
        if not self.publish:
            return last.model_copy(update={"draft": public}).model_dump_json()
        if medium.doubtful:
            last = await self._seen(message, last, medium)
        this = fingerprint(public)
        if last.update == this:
            return last.model_dump_json()
        if public.state == "postmortem":
            return await self._tell_why(public, last, medium)
        if last.id:
            await self._ask(medium, "PATCH", f"incidents/{last.id}", self._document(message, public, this))
            number = last.id
        else:
            number = _id(await self._ask(medium, "POST", "incidents", self._document(message, public, this)))
        return PublicReceipt(id=number, update=this, state=public.state).model_dump_json()

    async def _seen(self, message: Message, last: PublicReceipt, medium: Medium) -> PublicReceipt:
        """What is really there, after an answer that nobody heard; a postmortem may be written twice."""
        if last.id:
            one = (await self._ask(medium, "GET", f"incidents/{last.id}")).json()
            return _ours([one], message) or last
        for listed in (f"incidents/unresolved?per_page={LISTED}", f"incidents?limit={LISTED}"):
            found = (await self._ask(medium, "GET", listed)).json()
            if not isinstance(found, list):
                raise Temporary("Statuspage answered no list of incidents", Reason.BAD_ANSWER)
            if ours := _ours(found, message):
                return ours
        return last

    async def _tell_why(self, public: PublicUpdate, last: PublicReceipt, medium: Medium) -> str:
        """The postmortem of an incident that was on the page; it has to be resolved before."""
        if not last.id:
            return last.model_copy(update={"draft": public}).model_dump_json()
        if last.state != "resolved":
            over = {"incident": {"status": "resolved", "deliver_notifications": False}}
            await self._ask(medium, "PATCH", f"incidents/{last.id}", over)
        place = f"incidents/{last.id}/postmortem"
        await self._ask(medium, "PUT", place, {"postmortem": {"body_draft": public.body}})
        if self.publish_postmortem:
            notify = {"notify_subscribers": self.deliver_notifications, "notify_twitter": False}
            await self._ask(medium, "PUT", f"{place}/publish", {"postmortem": notify})
        return PublicReceipt(id=last.id, update=fingerprint(public), state="resolved").model_dump_json()

    def _document(self, message: Message, public: PublicUpdate, this: str) -> dict[str, Any]:
        severity = message.severity.value
        over = public.state == "resolved"
        affected = {
            one.id: "operational" if over else one.status or _STATUS[severity]
            for one in self.components
            if one.labels.items() <= message.labels.items()
        }
        incident: dict[str, Any] = {
            "name": public.title,
            "status": public.state,
            "body": public.body,
            "deliver_notifications": self.deliver_notifications,
            "metadata": {"responder": {"incident": public_key(message), "update": this}},
        }
        if not over:
            incident["impact_override"] = _IMPACT[severity]
        if affected:
            incident |= {"component_ids": list(affected), "components": affected}
        return {"incident": incident}

    async def _ask(self, medium: Medium, method: str, path: str, document: Mapping[str, Any] | None = None) -> Answer:
        token = await credentials.reveal(self.token, self.token_file)
        answer = await send(
            medium.http,
            method,
            URL(f"{self.url.rstrip('/')}/pages/{self.page_id}/{path}"),
            headers={"Authorization": f"OAuth {token}"},
            document=document,
            timeout=self.timeout.total_seconds(),
            secrets=(token,),
            accept=(404, SLOW_DOWN, 429),
        )
        if answer.status in (SLOW_DOWN, 429):
            said = f"{answer.host} answered {answer.status}"
            raise judge(429, answer.headers.get("Retry-After", PAUSE), said, answer.text)
        if answer.status == 404:
            said = "there is no such page, or somebody deleted the incident: it is not published again"
            raise Permanent(f"{answer.host} answered 404: {said}", Reason.NOT_FOUND)
        return answer


def _ours(found: Iterable[object], message: Message) -> PublicReceipt | None:
    """The incident that carries our key, if it is among them."""
    for one in found:
        metadata = one.get("metadata") if isinstance(one, dict) else None
        mark = metadata.get("responder") if isinstance(metadata, dict) else None
        if isinstance(one, dict) and isinstance(mark, dict) and mark.get("incident") == public_key(message):
            update, state = str(mark.get("update", "")), str(one.get("status", ""))
            return PublicReceipt(id=_checked(one.get("id")), update=update, state=state)
    return None


def _id(answer: Answer) -> str:
    document = answer.json()
    return _checked(document.get("id") if isinstance(document, dict) else None)


def _checked(number: object) -> str:
    if not isinstance(number, str) or not re.fullmatch(ID, number):
        raise Temporary("Statuspage answered without the id of the incident", Reason.BAD_ANSWER)
    return number
