"""Mattermost's API for bots: posts of one channel with their properties, threads and files."""

import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.mattermost import Mattermost
from tests import fakes
from tests.fakes.sinks import document
from tests.fakes.sinks._forms import multipart

TOKEN = "t0ken-of-the-bot-in-mattermost"
CHANNEL = "c" * 26
_CALLED = re.compile(r"(?<!\\)@(?=\w)|(?<!\\)<(?=[!@#])")


def faults(text: str) -> list[str]:
    """What Mattermost would split, or read as a call to people."""
    found = [] if len(text) <= 16383 else [f"{len(text)} characters: it would be split"]
    if called := _CALLED.search(text):
        found.append(f"calls people: {text[called.start() : called.start() + 20]!r}")
    return found


@dataclass
class Post:
    """A post of the channel."""

    id: str
    message: str
    props: dict[str, Any]
    root: str = ""
    files: list[str] = field(default_factory=list)


class Fake(fakes.sinks.Fake):
    """`deny`: paths that are answered with 403."""

    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.posts: list[Post] = []
        self.files: list[str] = []
        self.deny: tuple[str, ...] = ()
        self._number = 0

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "chat", "url": self.url, "token": TOKEN, "channel": CHANNEL, "timeout": fakes.sinks.TIMEOUT}
        return Mattermost.model_validate(given | options)

    @property
    def roots(self) -> list[Post]:
        return [post for post in self.posts if not post.root]

    def thread(self, root: Post) -> list[Post]:
        return [post for post in self.posts if post.root == root.id]

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                text=root.message,
                pictures=sum(len(reply.files) for reply in self.thread(root)),
                open="resolved after" not in root.message,
                replies=[reply.message for reply in self.thread(root)],
            )
            for root in self.roots
        ]

    def unauthorized(self) -> web.Response:
        return self._no(401, f"api.context.session_expired.app_error {TOKEN}")

    def _no(self, status: int, error: str) -> web.Response:
        return web.json_response({"id": error, "message": "no", "status_code": status}, status=status)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.refuse("no bearer token")
        path = request.path.removeprefix("/api/v4/")
        if path.startswith(self.deny) and self.deny:
            return self._no(403, "api.context.permissions.app_error")
        match request.method, path.split("/"):
            case "POST", ["posts"]:
                return self._create(document(body))
            case "PUT", ["posts", number, "patch"]:
                return self._patch(number, document(body))
            case "POST", ["files"]:
                return self._upload(request, body)
            case "GET", ["channels", channel, "posts"]:
                if channel != CHANNEL or set(request.query) != {"since"} or not request.query["since"].isdigit():
                    self.refuse(f"channel posts {request.path_qs}")
                return web.json_response(self._listed())
        self.refuse(f"{request.method} {request.path}")
        return self._no(404, "api.context.404.app_error")

    def _listed(self) -> dict[str, Any]:
        posts = {
            post.id: {"id": post.id, "message": post.message, "props": post.props, "create_at": number, "delete_at": 0}
            for number, post in enumerate(self.posts)
        }
        return {"order": list(reversed(posts)), "posts": posts}

    def _create(self, given: dict[str, Any]) -> web.Response:
        if set(given) - {"channel_id", "message", "props", "root_id", "file_ids"} or given["channel_id"] != CHANNEL:
            self.refuse(f"post {sorted(given)}")
        for fault in faults(given["message"]):
            self.refuse(fault)
        files = given.get("file_ids", [])
        if not given["message"].strip() and not files:
            self.refuse("an empty post")
        if len(files) > 5 or set(files) - set(self.files):
            self.refuse("files")
        if given.get("root_id") and given["root_id"] not in [root.id for root in self.roots]:
            self.refuse("root_id is not a root")
        self._number += 1
        post = Post(f"p{self._number:025}", given["message"], given["props"], given.get("root_id", ""), files)
        self.posts.append(post)
        return web.json_response({"id": post.id, "message": post.message}, status=201)

    def _patch(self, number: str, given: dict[str, Any]) -> web.Response:
        found = [post for post in self.posts if post.id == number]
        if not found:
            return self._no(404, "app.post.get.app_error")
        if set(given) != {"message"}:
            self.refuse(f"patch {sorted(given)}")
        for fault in faults(given["message"]):
            self.refuse(fault)
        found[0].message = given["message"]
        return web.json_response({"id": number})

    def _upload(self, request: web.Request, body: bytes) -> web.Response:
        channel, *files = multipart(request, body)
        if (channel.name, channel.content.decode()) != ("channel_id", CHANNEL):
            self.refuse("channel_id comes first")
        if {file.name for file in files} != {"files"} or not all(file.file and file.content for file in files):
            self.refuse("files")
        numbers = [f"f{len(self.files) + number:025}" for number in range(len(files))]
        self.files += numbers
        told = {"file_infos": [{"id": number} for number in numbers], "client_ids": []}
        return web.json_response(told, status=201)
