"""GitHub's REST API of issues."""

import json
import re
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.github import Github
from tests import fakes
from tests.fakes.sinks._issues import Issue, faults, title_faults

TOKEN = "github_pat_0123456789abcdefghijklmnop"
PATH = re.compile(r"/repos/shop/ops/issues(?:/(\d+)(/comments)?)?")


class Fake(fakes.sinks.Fake):
    """One repository."""

    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.issues: list[Issue] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "issues", "token": TOKEN, "url": self.url, "repository": "shop/ops"}
        given |= {"when": ["announced", "diagnosed", "resolved"], "timeout": self.timeout}
        return Github.model_validate({**given, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        return [issue.thing() for issue in self.issues]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.unauthorized()
        if request.headers.get("Accept") != "application/vnd.github+json" or not request.headers.get("User-Agent"):
            self.refuse(f"headers {dict(request.headers)}")
        found = PATH.fullmatch(request.path)
        if found is None:
            return web.json_response({"message": "Not Found"}, status=404)
        number = int(found[1] or 0)
        issue = next((one for one in self.issues if one.number == number), None)
        if request.method == "GET" and not number:
            return self._list(request)
        document = fakes.sinks.document(body)
        self.sent.append((request.method, document))
        if request.method == "POST" and not number:
            return self._create(document)
        if issue is None:
            return web.json_response({"message": "Not Found"}, status=404)
        if request.method == "POST" and found[2]:
            self._complain(faults(document["body"], commented=True), document["body"])
            issue.comments.append(document["body"])
            return web.json_response({"id": 1}, status=201)
        return self._patch(issue, document)

    def too_many_requests(self) -> web.Response:
        said = {"message": "You have exceeded a secondary rate limit.", "documentation_url": "https://docs.github.com"}
        return web.json_response(said, status=403, headers={"Retry-After": f"{fakes.sinks.RETRY_AFTER:g}"})

    def _list(self, request: web.Request) -> web.Response:
        if request.query.get("state") != "all" or request.query.get("labels") != "responder":
            self.refuse(f"list {request.query_string}")
        found = [
            {"number": one.number, "body": one.text, "state": "closed" if one.closed else "open"}
            for one in reversed(self.issues)
            if "responder" in one.labels
        ]
        return web.json_response(found)

    def _create(self, document: dict[str, Any]) -> web.Response:
        if set(document) - {"title", "body", "labels", "assignees"}:
            self.refuse(f"fields {sorted(document)}")
        if wrong := self._check(document):
            return wrong
        issue = Issue(len(self.issues) + 1, document["title"], document["body"], document["labels"])
        self.issues.append(issue)
        return web.json_response({"number": issue.number, "html_url": "https://github.com/x"}, status=201)

    def _patch(self, issue: Issue, document: dict[str, Any]) -> web.Response:
        if set(document) - {"title", "body", "state", "state_reason"}:
            self.refuse(f"fields {sorted(document)}")
        if wrong := self._check(document):
            return wrong
        issue.title, issue.text = document["title"], document["body"]
        issue.closed = document.get("state", "closed" if issue.closed else "open") == "closed"
        return web.json_response({"number": issue.number})

    def _check(self, document: dict[str, Any]) -> web.Response | None:
        self._complain(faults(document["body"]) + title_faults(document["title"], 256), document["body"])
        if len(document["body"].encode("utf-16-le")) // 2 > 65_536:
            errors = [{"resource": "Issue", "code": "custom", "field": "body", "message": "body is too long"}]
            self.refuse("body is too long (maximum is 65536 characters)")
            return web.json_response({"message": "Validation Failed", "errors": errors}, status=422)
        return None

    def _complain(self, found: list[str], text: str) -> None:
        for fault in found:
            self.refuse(f"{fault} in {json.dumps(text)[:200]}")
