"""An API server that does what a test tells it to, hostile answers included."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

Answer = web.Response | str | float | Mapping[str, Any]

MODERN: Mapping[str, Sequence[str]] = {
    "apps": ("v1",),
    "batch": ("v1",),
    "autoscaling": ("v2", "v1"),
    "policy": ("v1",),
    "networking.k8s.io": ("v1",),
    "storage.k8s.io": ("v1",),
    "metrics.k8s.io": ("v1beta1",),
}


def status(code: int, reason: str, message: str, **details: Any) -> web.Response:
    """What a real server says: a `Status`."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return web.json_response(body | {"code": code, "details": details}, status=code)


def listing(kind: str, *names: str, namespace: str = "shop", **metadata: Any) -> dict[str, Any]:
    """A list of bare objects."""
    items = [{"metadata": {"name": name, "namespace": namespace, "managedFields": [{}]}} for name in names]
    return {"kind": f"{kind}List", "apiVersion": "v1", "metadata": metadata, "items": items}


@dataclass
class FakeApiServer:
    """`answers` by path: JSON, text, a response, or seconds to wait before an empty list; in a list, one after another.

    What is not there answers as a real server does: an empty list or 404. `reviewed` judges access reviews by kind and
    spec; `frames` are what a command in a container says, as (channel, text), or seconds to wait before the next.
    """

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    otherwise: Answer | None = None
    groups: Mapping[str, Sequence[str]] = field(default_factory=lambda: MODERN)
    tokens: set[str] = field(default_factory=set)
    requests: Counter[str] = field(default_factory=Counter)
    queries: list[Mapping[str, str]] = field(default_factory=list)
    url: str = ""
    reviewed: Callable[[str, Mapping[str, Any]], bool] | None = None
    frames: Sequence[tuple[int, str] | float] = ()
    commands: list[Sequence[str]] = field(default_factory=list)

    def kubeconfig(self, folder: Path, **user: Any) -> Path:
        """A kubeconfig for this server."""
        file = folder / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "fake", "user": user or {"token": "right"}}],
        }
        file.write_text(json.dumps(config))
        return file

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any GET."""
        self.requests[request.path] += 1
        self.queries.append(dict(request.query))
        if self.tokens and request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return status(401, "Unauthorized", "Unauthorized")
        if request.method == "POST" and request.path not in self.answers:
            return await self._review(request)
        if request.path.endswith("/exec") and request.path not in self.answers:
            return await self._exec(request)
        said = self.answers.get(request.path)
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        if said is None:
            said = self.otherwise if self.otherwise is not None else self._usual(request.path)
        if isinstance(said, web.Response):
            return _again(said)
        if isinstance(said, int | float):
            await asyncio.sleep(said)
            said = listing("Thing")
        return web.Response(text=said) if isinstance(said, str) else web.json_response(said)

    async def _review(self, request: web.Request) -> web.Response:
        """An access review: the only thing that may be posted."""
        body = await request.json()
        kind = str(body["kind"])
        path = f"/apis/authorization.k8s.io/v1/{kind.lower()}s"
        if kind == "LocalSubjectAccessReview":
            namespace = body["metadata"]["namespace"]
            path = path.replace("/v1/", f"/v1/namespaces/{namespace}/")
            if body["spec"]["resourceAttributes"]["namespace"] != namespace:
                return status(422, "Invalid", "spec.resourceAttributes.namespace: must match metadata.namespace")
        if request.path != path or body["apiVersion"] != "authorization.k8s.io/v1":
            return status(404, "NotFound", "the server could not find the requested resource")
        wanted = {"resourceAttributes", "nonResourceAttributes"} & body["spec"].keys()
        if len(wanted) != 1 or (not kind.startswith("Self") and not body["spec"].get("user")):
            return status(422, "Invalid", "spec is invalid")
        if self.reviewed is None:
            return status(403, "Forbidden", f"{kind.lower()}s.authorization.k8s.io is forbidden")
        allowed = self.reviewed(kind, body["spec"])
        return web.json_response(body | {"status": {"allowed": allowed}}, status=201)

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        """A command in a container: a WebSocket that sends the frames."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return status(400, "BadRequest", "Upgrade request required")
        query = request.query
        if not query.getall("command", []) or {"stdin", "tty"} & query.keys() or query.get("stdout") != "true":
            return status(400, "BadRequest", "you must specify at least 1 of stdin, stdout, stderr")
        self.commands.append(query.getall("command"))
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        if socket.ws_protocol != "v4.channel.k8s.io":
            await socket.close(code=1002)
            return socket
        for frame in self.frames:
            if isinstance(frame, tuple):
                await socket.send_bytes(bytes([frame[0]]) + frame[1].encode())
            else:
                await asyncio.sleep(frame)
        await socket.close()
        return socket

    def _usual(self, path: str) -> Answer:
        if path == "/apis":
            groups = [
                {
                    "name": name,
                    "versions": [{"groupVersion": f"{name}/{version}", "version": version} for version in versions],
                    "preferredVersion": {"groupVersion": f"{name}/{versions[0]}", "version": versions[0]},
                }
                for name, versions in self.groups.items()
            ]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        if path == "/version":
            return {"gitVersion": "v1.31.2"}
        last = path.rpartition("/")[2]
        known = path.startswith("/api/v1/") or any(
            path.startswith(f"/apis/{name}/{version}/")
            for name, versions in self.groups.items()
            for version in versions
        )
        if not known:
            return web.Response(text="404 page not found\n", status=404)
        return listing(last.removesuffix("s").capitalize())


@asynccontextmanager
async def serving(server: FakeApiServer) -> AsyncIterator[FakeApiServer]:
    """The server on a free port of loopback."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def _again(response: web.Response) -> web.Response:
    """A response can be sent once only."""
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
    return web.Response(body=response.body, status=response.status, headers=headers)
