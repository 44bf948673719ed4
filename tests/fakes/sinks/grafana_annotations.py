"""Grafana's annotations: milliseconds, rows of tags, what PATCH and PUT leave, dashboards that are not there."""

import json
from html.parser import HTMLParser
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.grafana_annotations import GrafanaAnnotations
from tests import fakes
from tests.fakes.sinks import document
from tests.makers import NOW

TOKEN = "glsa_0123456789abcdef"
FIELDS = {"dashboardUID": str, "panelId": int, "time": int, "timeEnd": int, "tags": list, "text": str, "data": dict}


class Fake(fakes.sinks.Fake):
    """Keeps annotations; `dashboards` are those there are, with the ids of their panels.

    `refuses_unknown`: as newer servers do, an unknown dashboard is answered 403; older ones annotate the organisation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.annotations: dict[int, dict[str, Any]] = {}
        self.dashboards: dict[str, list[int]] = {}
        self.refuses_unknown = False
        self.asked: list[str] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "graphs", "url": self.url, "token": TOKEN, "timeout": fakes.sinks.TIMEOUT, **options}
        return GrafanaAnnotations.model_validate(given)

    def things(self) -> list[fakes.sinks.Thing]:
        now = NOW.timestamp() * 1000
        return [fakes.sinks.Thing(one["text"], open=one["timeEnd"] > now + 1000) for one in self.annotations.values()]

    def unauthorized(self) -> web.Response:
        return web.json_response({"message": f"Invalid API key {TOKEN}"}, status=401)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"message": "Unauthorized"}, status=401)
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["api", "dashboards", "uid", uid]:
                return self._dashboard(uid)
            case "GET", ["api", "annotations"]:
                return self._list(request)
            case "POST", ["api", "annotations"]:
                return self._create(self._checked(request, body))
            case "PATCH", ["api", "annotations", number]:
                return self._patch(int(number), self._checked(request, body))
        self.refuse(f"{request.method} {request.path}")
        return web.json_response({"message": "Not found"}, status=404)

    def _dashboard(self, uid: str) -> web.Response:
        if uid not in self.dashboards:
            return web.json_response({"message": "Dashboard not found"}, status=404)
        row = {"id": 1000, "type": "row", "panels": [{"id": number} for number in self.dashboards[uid]]}
        return web.json_response({"dashboard": {"uid": uid, "panels": [row]}, "meta": {}})

    def _checked(self, request: web.Request, body: bytes) -> dict[str, Any]:
        given: dict[str, Any] = document(body)
        if request.headers.get("Content-Type") != "application/json":
            self.refuse("no JSON by its content type")
        for name, value in given.items():
            if name not in FIELDS or not isinstance(value, FIELDS[name]) or isinstance(value, bool):
                self.refuse(f"field {name}: {value!r}")
        for name in ("time", "timeEnd"):
            if name in given and given[name] < 10**12:
                self.refuse(f"{name} is not in milliseconds: {given[name]}")
        self._check_text(given.get("text", ""))
        return given

    def _check_text(self, text: str) -> None:
        if len(text) > 4000:
            self.refuse(f"{len(text)} characters of text")
        marked = Tags()
        marked.feed(text)
        if marked.others:
            self.refuse(f"the sanitiser would take away {marked.others}")

    def _tags(self, tags: list[str]) -> web.Response | None:
        if len(json.dumps(tags, separators=(",", ":"), ensure_ascii=False).encode()) > 500:
            said = {"message": "Tags length exceeds the maximum allowed."}
            return web.json_response({**said, "messageId": "annotations.tag-limit-exceeded"}, status=400)
        if any(len(part) > 100 for tag in tags for part in rows([tag])[0]):
            return web.json_response({"message": "Failed to save annotation"}, status=500)
        return None

    def _create(self, given: dict[str, Any]) -> web.Response:
        if not given.get("text"):
            return web.json_response({"message": "Failed to save annotation"}, status=400)
        if (refused := self._tags(given.get("tags", []))) is not None:
            self.refuse("too many or too long tags")
            return refused
        if given.get("dashboardUID") and given["dashboardUID"] not in self.dashboards:
            if self.refuses_unknown:
                return web.json_response({"message": "Access denied to save the annotation"}, status=403)
            given["dashboardUID"] = ""
        start, end = given["time"], given.get("timeEnd") or given["time"]
        number = len(self.annotations) + 1
        self.annotations[number] = {"dashboardUID": "", "panelId": 0, "tags": [], **given, "id": number}
        self.annotations[number] |= {"time": min(start, end), "timeEnd": max(start, end)}
        return web.json_response({"message": "Annotation added", "id": number})

    def _patch(self, number: int, given: dict[str, Any]) -> web.Response:
        if number not in self.annotations:
            return web.json_response({"message": "Annotation not found"}, status=404)
        if (refused := self._tags(given.get("tags", []))) is not None:
            self.refuse("too many or too long tags")
            return refused
        if {"dashboardUID", "panelId"} & set(given):
            self.refuse("an annotation stays where it is")
        kept = {name: value for name, value in given.items() if name not in ("text", "time", "timeEnd") or value}
        self.annotations[number] |= kept
        return web.json_response({"message": "Annotation patched"})

    def _list(self, request: web.Request) -> web.Response:
        unknown = set(request.query) - {"tags", "matchAny", "type", "from", "to", "dashboardUID", "panelId", "limit"}
        if unknown:
            self.refuse(f"query {unknown}")
        wanted = rows(request.query.getall("tags", []))
        found = [one for one in self.annotations.values() if matching(one["tags"], wanted) == len(wanted)]
        found.sort(key=lambda one: one["timeEnd"], reverse=True)
        return web.json_response(found[: int(request.query.get("limit", "100"))])


class Tags(HTMLParser):
    """Notes what is more than bold, breaks and links."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        allowed = {"b": set(), "br": set(), "a": {"href"}}.get(tag)
        names = {name for name, _ in attrs}
        if allowed is None or names - allowed:
            self.others.append(f"{tag} {attrs}")
        if tag == "a" and not str(dict(attrs)["href"]).startswith(("http://", "https://")):
            self.others.append(f"{attrs}")


def rows(tags: list[str]) -> list[tuple[str, str]]:
    """Tags as they are stored: split at the first colon, trimmed."""
    split = [tag.partition(":") for tag in tags]
    return [(key.strip(), value.strip()) for key, _, value in split]


def matching(tags: list[str], wanted: list[tuple[str, str]]) -> int:
    """How many rows match, as Grafana counts them: a bare key matches each of its values."""
    return sum(
        key == wanted_key and (not wanted_value or value == wanted_value)
        for key, value in rows(tags)
        for wanted_key, wanted_value in wanted
    )
