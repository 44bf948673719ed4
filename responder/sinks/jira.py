"""Jira Cloud issues (developer.atlassian.com, Jira Cloud platform REST API v3)."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator

from responder.errors import Permanent, Reason, Temporary
from responder.model.message import Message
from responder.sinks import Medium, Preview
from responder.sinks import _credentials as credentials
from responder.sinks._adf import description, news
from responder.sinks._http import Address, Answer, send
from responder.sinks._paging import addresses, blocks, headline, text
from responder.sinks._text import cut, first_line
from responder.sinks._tickets import LABEL, State, Tickets, mark

LONGEST_SUMMARY = 255
LONGEST_DESCRIPTION = 32_767
_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,30}-\d{1,18}")


class Jira(Tickets):
    """An issue of a Jira Cloud project for what needs follow-up."""

    url: Address = Field(description="`https://SITE.atlassian.net`")
    email: str = Field(description="the account that the token belongs to")
    token: SecretStr | None = Field(None, description="an API token of the account")
    token_file: Path | None = Field(None, description="a file that holds it")
    project: str = Field(description="the project's key", pattern=r"^[A-Z][A-Z0-9_]{0,30}$")
    issue_type: str = Field("Task", description="the type of issue")
    done: str = Field("", description="the transition that closes, by name; else the first into a status of `Done`")
    again: str = Field("", description="the transition that reopens, by name; else the first out of `Done`")

    @field_validator("labels")
    @classmethod
    def _one_word(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if bad := [label for label in labels if not label or len(label) > 255 or len(label.split()) != 1]:
            raise ValueError(f"{bad[0]!r}: a label of Jira is one word")
        return labels

    def preview(self, message: Message) -> Preview:
        """The issue that would be opened."""
        fields = self._fields(message)
        shown = {"project": self.project, "type": self.issue_type, "labels": " ".join(fields["labels"])}
        return Preview(
            blocks=blocks(
                fields["summary"], {**shown, "state": first_line(message)}, text(message), addresses(message)
            ),
            payload=json.dumps({"fields": fields}, ensure_ascii=False, indent=2),
        )

    async def _find(self, message: Message, medium: Medium) -> str:
        # both are made of letters, digits and dashes: nothing to escape
        query = f'project = "{self.project}" AND labels = "{LABEL}-{mark(message)}" ORDER BY created DESC'
        wanted = {"jql": query, "fields": ["status"], "maxResults": 1}
        answer = (await self._send(medium, "POST", "/search/jql", wanted)).json()
        found = answer.get("issues") if isinstance(answer, dict) else None
        return _key(found[0]) if found else ""

    async def _open(self, message: Message, medium: Medium) -> str:
        answer = await self._send(medium, "POST", "/issue", {"fields": self._fields(message)})
        if key := _key(answer.json()):
            return key
        raise Temporary(f"{answer.host} answered {answer.status} without a key", Reason.BAD_ANSWER)

    async def _change(self, message: Message, name: str, state: State, medium: Medium) -> None:
        fields = self._fields(message)
        changes = {"summary": fields["summary"], "description": fields["description"]}
        await self._send(medium, "PUT", f"/issue/{name}", {"fields": changes})
        if state != "kept":
            await self._move(name, medium, closed=state == "closed")

    async def _comment(self, message: Message, name: str, medium: Medium) -> None:
        await self._send(medium, "POST", f"/issue/{name}/comment", {"body": news(message)})

    async def _move(self, name: str, medium: Medium, *, closed: bool) -> None:
        """Close or reopen: which transitions there are depends on the workflow and on where the issue is."""
        answer = await self._send(medium, "GET", f"/issue/{name}?fields=status")
        if _is_done(answer.json(), "fields", "status") == closed:
            return
        answer = await self._send(medium, "GET", f"/issue/{name}/transitions")
        said = answer.json()
        offered = said.get("transitions") if isinstance(said, dict) else None
        wanted = self.done if closed else self.again
        for transition in offered if isinstance(offered, list) else ():
            fits = transition.get("name") == wanted if wanted else _is_done(transition, "to") == closed
            if fits:
                moved = {"transition": {"id": str(transition["id"])}}
                await self._send(medium, "POST", f"/issue/{name}/transitions", moved)
                return
        option = "done" if closed else "again"
        message = f"{name} has no transition {wanted or ('into Done' if closed else 'out of Done')}: set {option}"
        raise Permanent(message, Reason.NOT_CONFIGURED)

    def _fields(self, message: Message) -> dict[str, Any]:
        return {
            "project": {"key": self.project},
            "issuetype": {"name": self.issue_type},
            "summary": cut(headline(message), LONGEST_SUMMARY),
            "description": description(message, LONGEST_DESCRIPTION),
            "labels": list(dict.fromkeys((LABEL, f"{LABEL}-{mark(message)}", *self.labels))),
        }

    async def _send(self, medium: Medium, method: str, path: str, document: Any = None) -> Answer:
        token = await credentials.read(self.token, self.token_file, "token")
        header = credentials.basic(self.email, token)
        return await send(
            medium.http,
            method,
            f"{self.url}/rest/api/3{path}",
            headers={"Authorization": header, "Accept": "application/json"},
            document=document,
            timeout=self.timeout.total_seconds(),
            secrets=[token, header.removeprefix("Basic ")],
        )


def _key(issue: Any) -> str:
    """The issue's key, which becomes a part of paths; empty where it is none."""
    key = str(issue.get("key", "")) if isinstance(issue, dict) else ""
    return key if _KEY.fullmatch(key) else ""


def _is_done(thing: Any, *path: str) -> bool:
    """Whether the status at a path is one of the category `Done`."""
    for name in (*path, "statusCategory", "key"):
        thing = thing.get(name) if isinstance(thing, Mapping) else None
    return bool(thing == "done")
