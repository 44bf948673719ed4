"""Grafana annotations: each incident a region on the graphs, from when its trouble began until it is resolved."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, field_validator
from yarl import URL

from responder.errors import Reason, Temporary
from responder.model.incident import IncidentStatus
from responder.model.links import web_address
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._html import BREAK, short_html
from responder.sinks._http import Answer, send
from responder.sinks._text import clean

LONGEST_TEXT = 4000
LONGEST_TAG = 100
"""Characters of a tag's key, and of its value."""
ALL_TAGS = 500
"""Bytes of the list of tags as JSON (`[annotations] tags_length`)."""
OWN = ("responder", "severity", "runbook", "cause")
UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
PANEL = re.compile(r"[0-9]{1,9}")
_UID_ANNOTATIONS = ("__dashboardUid__", "dashboard_uid")
_PANEL_ANNOTATIONS = ("__panelId__", "panel_id")


def _tag(tag: str) -> str:
    key, _, value = tag.partition(":")
    if not key.strip() or not tag.isprintable() or max(len(key), len(value)) > LONGEST_TAG:
        raise ValueError(f"must be KEY or KEY:VALUE of printable characters, at most {LONGEST_TAG} each")
    if key.strip() in OWN:
        raise ValueError(f"{key.strip()!r} is set by the sink itself")
    return tag


class GrafanaAnnotations(Sink):
    """Marks the incident on Grafana's graphs: a region from when the trouble began, with the finding as text.

    Without a dashboard it is an annotation of the organisation: dashboards show it with an annotation query by
    the tag `responder` (or `severity:P1`, `runbook:NAME`, `cause:SLUG`). Alerts may name theirs in the annotations
    `__dashboardUid__` and `__panelId__`, or `dashboard_uid` and `panel_id`.
    """

    url: str = Field(description="where Grafana is, with its sub-path if it has one")
    token: SecretStr | None = Field(None, description="of a service account that may write annotations")
    token_file: Path | None = Field(None, description="a file that holds it")
    org_id: int | None = Field(None, description="the organisation, where the token is not bound to one")
    dashboard_uid: str = Field("", pattern=rf"^({UID.pattern})?$", description="the dashboard, if the alert names none")
    panel_id: int | None = Field(None, ge=1, description="the panel of that dashboard; else all its panels")
    tags: tuple[Annotated[str, AfterValidator(_tag)], ...] = Field((), description="more tags, `key` or `key:value`")
    open_for: Duration = Field(
        timedelta(days=7), description="how far in the future an open region ends, until the resolve sets its end"
    )
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        if not web_address(url):
            raise ValueError("must be an address that starts with http:// or https://")
        return url

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Create the region, or bring it up to date; the receipt is its id."""
        known = receipt
        if not known and medium.doubtful:
            known = await self._find(message, medium)
        if known and await self._update(known, message, medium):
            return known
        if known and (known := await self._find(message, medium)) and await self._update(known, message, medium):
            return known
        return await self._create(message, medium)

    def preview(self, message: Message) -> Preview:
        """The text as Grafana shows it, and the annotation."""
        document = self._annotation(message, message.updated_at) | self._place(message)
        blocks = (
            Block(kind="html", text=document["text"]),
            Block(kind="context", items=tuple(document["tags"]), text=" · ".join(document["tags"])),
        )
        return Preview(blocks=blocks, payload=json.dumps(document, ensure_ascii=False, indent=2))

    async def _create(self, message: Message, medium: Medium) -> str:
        place = await self._existing_place(self._place(message), medium)
        document = {**self._annotation(message, medium.now), **place}
        return _id(await self._ask(medium, "POST", "api/annotations", document=document))

    async def _update(self, known: str, message: Message, medium: Medium) -> bool:
        """Change it in place; false where it is not there any more. PUT would clear what is left out."""
        document = self._annotation(message, medium.now)
        answer = await self._ask(medium, "PATCH", f"api/annotations/{known}", document=document, accept=(404,))
        return answer.status != 404

    async def _find(self, message: Message, medium: Medium) -> str:
        """The id of the annotation with our whole tag, or empty. With several (two of us raced), the oldest."""
        query = {"tags": _key_tag(message), "type": "annotation", "limit": "10"}
        found = (await self._ask(medium, "GET", "api/annotations", query=query)).json()
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Temporary(f"{self._host} answered no list of annotations", Reason.BAD_ANSWER)
        ids = [one["id"] for one in found if _key_tag(message) in (one.get("tags") or ()) and one.get("id")]
        return str(min(ids, default=""))

    async def _existing_place(self, place: Mapping[str, Any], medium: Medium) -> Mapping[str, Any]:
        """Where the dashboard cannot be seen, the whole organisation; where the panel is not on it, all panels.

        Grafana takes an unknown dashboard or panel without complaint and then shows the annotation nowhere.
        """
        uid = place.get("dashboardUID")
        if uid is None:
            return {}
        answer = await self._ask(medium, "GET", f"api/dashboards/uid/{uid}", accept=(403, 404))
        if answer.status in (403, 404):
            return {}
        document = answer.json()
        board = document.get("dashboard") if isinstance(document, dict) else None
        panels = board.get("panels") if isinstance(board, dict) else None
        if place.get("panelId") not in set(_panels(panels)):
            return {"dashboardUID": uid}
        return place

    def _place(self, message: Message) -> dict[str, Any]:
        """Dashboard and panel as the first alert that names them does, else as the options do."""
        uid, panel = self.dashboard_uid, self.panel_id
        for alert in message.report.alerts if message.report else ():
            given = alert.annotations
            named = next((given[name] for name in _UID_ANNOTATIONS if UID.fullmatch(given.get(name, ""))), "")
            if named:
                number = next((given[name] for name in _PANEL_ANNOTATIONS if PANEL.fullmatch(given.get(name, ""))), "")
                uid, panel = named, int(number) if number else None
                break
        place: dict[str, Any] = {"dashboardUID": uid} if uid else {}
        return place | ({"panelId": panel} if uid and panel else {})

    def _annotation(self, message: Message, now: datetime) -> dict[str, Any]:
        start = _milliseconds(message.report.began_at if message.report else message.started_at)
        over = message.status is IncidentStatus.RESOLVED
        end = (message.resolved_at or message.updated_at) if over else now + self.open_for
        return {
            "time": start,
            "timeEnd": max(start + 1, _milliseconds(end)),
            "tags": _tags(message, self.tags),
            "text": _text(message),
        }

    async def _ask(
        self,
        medium: Medium,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        document: Mapping[str, Any] | None = None,
        accept: Sequence[int] = (),
    ) -> Answer:
        token = await credentials.reveal(self.token, self.token_file)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if self.org_id is not None:
            headers["X-Grafana-Org-Id"] = str(self.org_id)
        url = (URL(self.url) / path).with_query(query or {})
        seconds = self.timeout.total_seconds()
        return await send(
            medium.http,
            method,
            url,
            headers=headers,
            document=document,
            timeout=seconds,
            secrets=(token,),
            accept=accept,
        )

    @property
    def _host(self) -> str:
        return URL(self.url).host or "Grafana"


def _text(message: Message) -> str:
    """The message; the region may begin before the alert fired, so that is said too."""
    fired = f"{BREAK}Alert started (Alertmanager) {message.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return short_html(message, LONGEST_TEXT - len(fired)) + fired


def _key_tag(message: Message) -> str:
    """The one tag by which the annotation is found again.

    Its key may be on no other tag: Grafana counts rows when it looks for `responder`, so that an annotation with two
    tags of that key would be missed.
    """
    return f"responder:{hashlib.blake2b(message.key.encode(), digest_size=12).hexdigest()}"


def _tags(message: Message, more: Iterable[str]) -> list[str]:
    """As many as fit, ours first."""
    report = message.report
    found = [_key_tag(message), f"severity:{message.severity.value}"]
    found += [f"runbook:{_value(report.runbook)}"] if report and report.runbook else []
    found += [f"cause:{_value(report.findings[0].cause)}"] if report and report.findings else []
    found += more
    while len(json.dumps(found, separators=(",", ":"))) > ALL_TAGS:
        found.pop()
    return found


def _value(text: str) -> str:
    return " ".join(clean(text).split())[:LONGEST_TAG].strip()


def _panels(panels: object) -> Iterable[int]:
    """The ids of all panels, those in collapsed rows too."""
    for panel in panels if isinstance(panels, list) else []:
        if isinstance(panel, dict):
            if isinstance(panel.get("id"), int):
                yield panel["id"]
            yield from _panels(panel.get("panels"))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _id(answer: Answer) -> str:
    document = answer.json()
    found = document.get("id") if isinstance(document, dict) else None
    if not isinstance(found, int) or isinstance(found, bool):
        raise Temporary(f"{answer.host} answered without the id of the annotation", Reason.BAD_ANSWER)
    return str(found)
