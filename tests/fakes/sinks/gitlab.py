"""GitLab's API of issues and notes; what its quick actions would run is refused."""

import json
import re
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.gitlab import Gitlab
from tests import fakes
from tests.fakes.sinks._issues import Issue, faults, title_faults

TOKEN = "glpat-0123456789abcdefghij"
PATH = re.compile(r"/api/v4/projects/shop%2Fops/issues(?:/(\d+)(/notes)?)?")


class Fake(fakes.sinks.Fake):
    """One project."""

    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.issues: list[Issue] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "issues", "token": TOKEN, "url": self.url, "project": "shop/ops"}
        given |= {"when": ["announced", "diagnosed", "resolved"], "timeout": self.timeout}
        return Gitlab.model_validate({**given, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        return [issue.thing() for issue in self.issues]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("PRIVATE-TOKEN") != TOKEN:
            return self.unauthorized()
        found = PATH.fullmatch(request.rel_url.raw_path)
        if found is None:
            return web.json_response({"message": "404 Project Not Found"}, status=404)
        number = int(found[1] or 0)
        issue = next((one for one in self.issues if one.number == number), None)
        if request.method == "GET" and not number:
            return self._list(request)
        document = fakes.sinks.document(body)
        self.sent.append((request.method, document))
        if request.method == "POST" and not number:
            return self._create(document)
        if issue is None:
            return web.json_response({"message": "404 Not found"}, status=404)
        if request.method == "POST" and found[2]:
            self._complain(faults(document["body"], commented=True), document["body"])
            issue.comments.append(document["body"])
            return web.json_response({"id": 1}, status=201)
        return self._put(issue, document)

    def _list(self, request: web.Request) -> web.Response:
        if request.query.get("labels") != "responder" or request.query.get("scope") != "all":
            self.refuse(f"list {request.query_string}")
        found = [
            {"iid": one.number, "description": one.text} for one in reversed(self.issues) if "responder" in one.labels
        ]
        return web.json_response(found)

    def _create(self, document: dict[str, Any]) -> web.Response:
        if set(document) - {"title", "description", "labels", "confidential"}:
            self.refuse(f"fields {sorted(document)}")
        self._check(document)
        labels = document["labels"].split(",")
        issue = Issue(len(self.issues) + 1, document["title"], document["description"], labels)
        self.issues.append(issue)
        return web.json_response({"id": 9000 + issue.number, "iid": issue.number, "web_url": "https://x"}, status=201)

    def _put(self, issue: Issue, document: dict[str, Any]) -> web.Response:
        if set(document) - {"title", "description", "state_event"}:
            self.refuse(f"fields {sorted(document)}")
        self._check(document)
        issue.title, issue.text = document["title"], document["description"]
        match document.get("state_event"):
            case "close":
                issue.closed = True
            case "reopen":
                issue.closed = False
            case None:
                pass
            case other:
                self.refuse(f"state_event {other}")
        return web.json_response({"iid": issue.number})

    def _check(self, document: dict[str, Any]) -> None:
        self._complain(faults(document["description"]) + title_faults(document["title"], 255), document["description"])
        if len(document["description"]) > 1_048_576:
            self.refuse("description is too long")

    def _complain(self, found: list[str], text: str) -> None:
        for fault in found:
            self.refuse(f"{fault} in {json.dumps(text)[:200]}")
