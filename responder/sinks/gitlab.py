"""GitLab issues (docs.gitlab.com, "Issues API" and "Notes API")."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr, field_validator
from yarl import URL

from responder.errors import Reason, Temporary
from responder.model.message import Message
from responder.sinks import Medium, Preview
from responder.sinks import _credentials as credentials
from responder.sinks._http import Address, Answer, send
from responder.sinks._issue_markdown import body, marked, neutral, news
from responder.sinks._paging import addresses, blocks, headline, text
from responder.sinks._text import cut, first_line
from responder.sinks._tickets import LABEL, State, Tickets, mark

LONGEST_TITLE = 255
LONGEST_BODY = 200_000
"""Characters; GitLab takes 1,048,576, and stops rendering Markdown long before."""


class Gitlab(Tickets):
    """An issue of a GitLab project for what needs follow-up."""

    project: str = Field(description="the project's path, `group/name`, or its number")
    token: SecretStr | None = Field(None, description="a project access token: role Reporter, scope `api`")
    token_file: Path | None = Field(None, description="a file that holds it")
    url: Address = Field("https://gitlab.com", description="the server")
    confidential: bool = Field(False, description="whether only members see the issue")

    @field_validator("labels")
    @classmethod
    def _no_commas(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if bad := [label for label in labels if "," in label]:
            raise ValueError(f"{bad[0]!r}: a label of GitLab has no comma")
        return labels

    def preview(self, message: Message) -> Preview:
        """The issue that would be opened."""
        issue = self._issue(message)
        fields = {"labels": issue["labels"], "state": first_line(message)}
        shown = json.dumps({**issue, "description": "…"}, ensure_ascii=False, indent=2)
        return Preview(
            blocks=blocks(issue["title"], fields, text(message), addresses(message)),
            payload=f"{shown}\n\n{issue['description']}",
        )

    async def _find(self, message: Message, medium: Medium) -> str:
        query = f"labels={quote(LABEL)}&scope=all&order_by=created_at&sort=desc&per_page=100"
        found = (await self._send(medium, "GET", f"/issues?{query}")).json()
        for issue in found if isinstance(found, list) else ():
            if marked(mark(message)) in str(issue.get("description")):
                return str(issue["iid"])
        return ""

    async def _open(self, message: Message, medium: Medium) -> str:
        answer = await self._send(medium, "POST", "/issues", self._issue(message))
        issue = answer.json()
        if not isinstance(issue, dict) or not isinstance(issue.get("iid"), int):
            raise Temporary(f"{answer.host} answered {answer.status} without an iid", Reason.BAD_ANSWER)
        return str(issue["iid"])

    async def _change(self, message: Message, name: str, state: State, medium: Medium) -> None:
        issue = self._issue(message)
        changes = {"title": issue["title"], "description": issue["description"]}
        if state != "kept":
            changes["state_event"] = "close" if state == "closed" else "reopen"
        await self._send(medium, "PUT", f"/issues/{name}", changes)

    async def _comment(self, message: Message, name: str, medium: Medium) -> None:
        await self._send(medium, "POST", f"/issues/{name}/notes", {"body": cut(news(message), LONGEST_BODY)})

    def _issue(self, message: Message) -> dict[str, Any]:
        issue: dict[str, Any] = {
            "title": cut(neutral(headline(message)), LONGEST_TITLE),
            "description": body(message, mark(message), LONGEST_BODY),
            "labels": ",".join(dict.fromkeys((LABEL, *self.labels))),
        }
        return issue | ({"confidential": True} if self.confidential else {})

    async def _send(self, medium: Medium, method: str, path: str, document: Any = None) -> Answer:
        token = await credentials.read(self.token, self.token_file, "token")
        return await send(
            medium.http,
            method,
            URL(f"{self.url}/api/v4/projects/{quote(self.project, safe='')}{path}", encoded=True),
            headers={"PRIVATE-TOKEN": token},
            document=document,
            timeout=self.timeout.total_seconds(),
            secrets=[token],
        )
