"""GitHub issues (docs.github.com, REST API, "Issues" and "Rate limits for the REST API")."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr, field_validator
from yarl import URL

from responder.errors import Permanent, Reason, Temporary
from responder.model.message import Message
from responder.sinks import Medium, Preview
from responder.sinks import _credentials as credentials
from responder.sinks._http import Address, Answer, pause, send
from responder.sinks._issue_markdown import body, marked, neutral, news
from responder.sinks._paging import addresses, blocks, headline, text
from responder.sinks._text import cut, first_line, utf16
from responder.sinks._tickets import LABEL, State, Tickets, mark

LONGEST_TITLE = 256
LONGEST_BODY = 65_536
PAUSE = 60.0
"""Seconds to wait where a limit does not say how long."""


class Github(Tickets):
    """An issue of a GitHub repository for what needs follow-up."""

    repository: str = Field(description="`owner/name`")
    token: SecretStr | None = Field(None, description="a fine-grained token with `Issues: read and write`")
    token_file: Path | None = Field(None, description="a file that holds it")
    url: Address = Field("https://api.github.com", description="of GitHub Enterprise Server `https://HOST/api/v3`")
    assignees: tuple[str, ...] = Field((), description="who gets it")

    @field_validator("repository")
    @classmethod
    def _owner_and_name(cls, repository: str) -> str:
        owner, _, name = repository.partition("/")
        if not owner or not name or "/" in name or {owner, name} & {".", ".."}:
            raise ValueError("must be owner/name")
        return repository

    def preview(self, message: Message) -> Preview:
        """The issue that would be opened."""
        issue = self._issue(message)
        fields = {"labels": ", ".join(issue["labels"]), "state": first_line(message)}
        shown = json.dumps({**issue, "body": "…"}, ensure_ascii=False, indent=2)
        return Preview(
            blocks=blocks(issue["title"], fields, text(message), addresses(message)),
            payload=f"{shown}\n\n{issue['body']}",
        )

    async def _find(self, message: Message, medium: Medium) -> str:
        query = f"labels={quote(LABEL)}&state=all&sort=created&direction=desc&per_page=100"
        found = (await self._send(medium, "GET", f"/issues?{query}")).json()
        for issue in found if isinstance(found, list) else ():
            if marked(mark(message)) in str(issue.get("body")) and "pull_request" not in issue:
                return str(issue["number"])
        return ""

    async def _open(self, message: Message, medium: Medium) -> str:
        answer = await self._send(medium, "POST", "/issues", self._issue(message))
        issue = answer.json()
        if not isinstance(issue, dict) or not isinstance(issue.get("number"), int):
            raise Temporary(f"{answer.host} answered {answer.status} without a number", Reason.BAD_ANSWER)
        return str(issue["number"])

    async def _change(self, message: Message, name: str, state: State, medium: Medium) -> None:
        issue = self._issue(message)
        changes = {"title": issue["title"], "body": issue["body"]}
        if state == "closed":
            changes |= {"state": "closed", "state_reason": "completed"}
        elif state == "open":
            changes["state"] = "open"
        await self._send(medium, "PATCH", f"/issues/{name}", changes)

    async def _comment(self, message: Message, name: str, medium: Medium) -> None:
        said = cut(news(message), LONGEST_BODY, utf16)
        await self._send(medium, "POST", f"/issues/{name}/comments", {"body": said})

    def _issue(self, message: Message) -> dict[str, Any]:
        issue: dict[str, Any] = {
            "title": cut(neutral(headline(message)), LONGEST_TITLE, utf16),
            "body": body(message, mark(message), LONGEST_BODY, utf16),
            "labels": list(dict.fromkeys((LABEL, *self.labels))),
        }
        return issue | ({"assignees": list(self.assignees)} if self.assignees else {})

    async def _send(self, medium: Medium, method: str, path: str, document: Any = None) -> Answer:
        token = await credentials.read(self.token, self.token_file, "token")
        owner, _, name = self.repository.partition("/")
        answer = await send(
            medium.http,
            method,
            URL(f"{self.url}/repos/{quote(owner, safe='')}/{quote(name, safe='')}{path}", encoded=True),
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            document=document,
            timeout=self.timeout.total_seconds(),
            secrets=[token],
            accept=(403, 429),
        )
        if answer.status in (403, 429):
            raise _refused(answer, medium)
        return answer


def _refused(answer: Answer, medium: Medium) -> Temporary | Permanent:
    """403 also is how GitHub limits rates; its headers tell."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    asked = pause(headers.get("retry-after", ""), medium.now)
    if asked is None and headers.get("x-ratelimit-remaining") == "0":
        reset = headers.get("x-ratelimit-reset", "")
        asked = pause(str(int(reset) - medium.now.timestamp()) if reset.isdecimal() else str(PAUSE), medium.now)
    if asked is None and (answer.status == 429 or "rate limit" in answer.text.lower()):
        asked = PAUSE
    if asked is None:
        return answer.trouble()
    return Temporary(f"{answer.host} answered {answer.status}: {answer.text}", Reason.OVERLOADED, asked)
