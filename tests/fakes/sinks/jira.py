"""Jira Cloud's REST API v3: ADF for texts, JQL to search, transitions to close."""

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.jira import Jira
from tests import fakes

TOKEN = "ATATT3xFfGF0-token"
EMAIL = "bot@shop.example"
BASIC = base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
ISSUE = re.compile(r"/rest/api/3/issue/(OPS-\d+)(/comment|/transitions)?")
BLOCKS = {"paragraph", "heading", "bulletList", "orderedList", "rule", "listItem"}
STATUSES = {"To Do": "new", "In Progress": "indeterminate", "Done": "done"}
WORKFLOW = {
    "To Do": {"11": "In Progress", "31": "Done"},
    "In Progress": {"31": "Done"},
    "Done": {"41": "To Do"},
}
NAMES = {"11": "Start", "31": "Finish", "41": "Back to work"}


@dataclass
class Issue:
    """One issue."""

    key: str
    fields: dict[str, Any]
    status: str = "To Do"
    comments: list[str] = field(default_factory=list)


class Fake(fakes.sinks.Fake):
    """One project with a small workflow."""

    def __init__(self) -> None:
        super().__init__()
        self.issues: list[Issue] = []
        self.workflow = WORKFLOW
        self.moves: list[str] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN, BASIC)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "tickets", "email": EMAIL, "token": TOKEN, "url": self.url, "project": "OPS"}
        given |= {"when": ["announced", "diagnosed", "resolved"], "timeout": self.timeout}
        return Jira.model_validate({**given, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                f"{one.fields['summary']}\n{words(one.fields['description'])}",
                open=one.status != "Done",
                replies=one.comments,
            )
            for one in self.issues
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Basic {BASIC}":
            return self.unauthorized()
        document = fakes.sinks.document(body) if body else {}
        if request.path == "/rest/api/3/search":
            return web.json_response({"errorMessages": ["The requested API has been removed."]}, status=410)
        if (request.method, request.path) == ("POST", "/rest/api/3/search/jql"):
            return self._search(document)
        if (request.method, request.path) == ("POST", "/rest/api/3/issue"):
            return self._create(document)
        found = ISSUE.fullmatch(request.path)
        issue = next((one for one in self.issues if found and one.key == found[1]), None)
        if found is None or issue is None:
            said = "Issue does not exist or you do not have permission to see it."
            return web.json_response({"errorMessages": [said], "errors": {}}, status=404)
        match request.method, found[2]:
            case "GET", None:
                status = {"name": issue.status, "statusCategory": {"key": STATUSES[issue.status]}}
                return web.json_response({"key": issue.key, "fields": {"status": status}})
            case "PUT", None:
                return self._edit(issue, document)
            case "POST", "/comment":
                self._check_text(document.get("body"), 32_767)
                issue.comments.append(words(document["body"]))
                return web.json_response({"id": "1"}, status=201)
            case "GET", "/transitions":
                offered = self.workflow[issue.status].items()
                said_transitions = [
                    {"id": number, "name": NAMES[number], "to": {"name": to, "statusCategory": {"key": STATUSES[to]}}}
                    for number, to in offered
                ]
                return web.json_response({"transitions": said_transitions})
            case "POST", "/transitions":
                return self._move(issue, document)
        self.refuse(f"{request.method} {request.path}")
        return web.Response(status=405)

    def _search(self, document: dict[str, Any]) -> web.Response:
        found = re.fullmatch(
            r'project = "OPS" AND labels = "([a-z0-9-]+)" ORDER BY created DESC', document.get("jql", "")
        )
        if found is None or set(document) - {"jql", "fields", "maxResults", "nextPageToken"}:
            self.refuse(f"search {document}")
            return web.json_response({"errorMessages": ["Error in the JQL Query"]}, status=400)
        issues = [{"key": one.key} for one in reversed(self.issues) if found[1] in one.fields["labels"]]
        return web.json_response({"issues": issues[: document["maxResults"]], "isLast": True})

    def _create(self, document: dict[str, Any]) -> web.Response:
        fields = document.get("fields", {})
        if set(fields) != {"project", "issuetype", "summary", "description", "labels"}:
            self.refuse(f"fields {sorted(fields)}")
        if any(" " in label or not label for label in fields["labels"]):
            self.refuse(f"labels {fields['labels']}")
        if wrong := self._check(fields):
            return wrong
        self.issues.append(Issue(f"OPS-{len(self.issues) + 1}", fields))
        key = self.issues[-1].key
        return web.json_response({"id": "10000", "key": key, "self": f"https://x/{key}"}, status=201)

    def _edit(self, issue: Issue, document: dict[str, Any]) -> web.Response:
        fields = document.get("fields", {})
        if set(fields) != {"summary", "description"}:
            self.refuse(f"fields {sorted(fields)}")
        if wrong := self._check(fields):
            return wrong
        issue.fields |= fields
        return web.Response(status=204)

    def _move(self, issue: Issue, document: dict[str, Any]) -> web.Response:
        number = document.get("transition", {}).get("id")
        if number not in self.workflow[issue.status]:
            self.refuse(f"transition {number} from {issue.status}")
            return web.json_response({"errorMessages": ["It seems that you have tried to perform…"]}, status=400)
        self.moves.append(NAMES[number])
        issue.status = self.workflow[issue.status][number]
        return web.Response(status=204)

    def _check(self, fields: dict[str, Any]) -> web.Response | None:
        summary = fields.get("summary", "")
        if not summary.strip() or len(summary) > 255 or "\n" in summary:
            self.refuse(f"summary {summary!r}")
            return web.json_response({"errorMessages": [], "errors": {"summary": "invalid"}}, status=400)
        self._check_text(fields.get("description"), 32_767)
        return None

    def _check_text(self, node: Any, most: int) -> None:
        if not isinstance(node, dict) or node.get("type") != "doc" or node.get("version") != 1:
            self.refuse(f"no ADF: {node!r}"[:200])
            return
        if len(json.dumps(node, ensure_ascii=False)) > most:
            self.refuse(f"a text of {len(json.dumps(node, ensure_ascii=False))} characters")
        for child in node["content"]:
            self._check_node(child)

    def _check_node(self, node: dict[str, Any]) -> None:
        if node["type"] == "text":
            if not node["text"] or set(node) - {"type", "text", "marks"}:
                self.refuse(f"text node {node}")
            for mark in node.get("marks", ()):
                if mark["type"] == "link" and not mark["attrs"]["href"].startswith(("http://", "https://")):
                    self.refuse(f"link {mark}")
            return
        if node["type"] not in BLOCKS or set(node) - {"type", "content", "attrs"}:
            self.refuse(f"node {node}"[:200])
        if node["type"] == "heading" and not 1 <= node["attrs"]["level"] <= 6:
            self.refuse("heading")
        for child in node.get("content", ()):
            self._check_node(child)


def words(node: dict[str, Any]) -> str:
    """The text of ADF."""
    if node["type"] == "text":
        return str(node["text"])
    return ("" if node["type"] == "paragraph" else "\n").join(words(child) for child in node.get("content", ()))
