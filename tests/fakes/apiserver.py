"""An API server that does what a test tells it to, hostile answers included."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
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

    What is not there answers as a real server does: an empty list or 404.
    """

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    otherwise: Answer | None = None
    groups: Mapping[str, Sequence[str]] = field(default_factory=lambda: MODERN)
    tokens: set[str] = field(default_factory=set)
    requests: Counter[str] = field(default_factory=Counter)
    queries: list[Mapping[str, str]] = field(default_factory=list)
    url: str = ""

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
