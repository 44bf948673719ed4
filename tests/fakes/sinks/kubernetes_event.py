"""An API server that takes events as `validation/events.go` does, and remembers them by name."""

import re
import shutil
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import kubernetes_asyncio.config  # noqa: F401 - it takes longer to load than the sinks under test wait
from aiohttp import web
from pydantic import PrivateAttr

from responder.clients import Clients
from responder.clients.kubernetes import LiveKubernetes
from responder.clock import SystemClock
from responder.metrics import Metrics
from responder.model.message import Message
from responder.settings import KubernetesSettings
from responder.sinks import Medium, Sink
from responder.sinks.kubernetes_event import KubernetesEvent
from tests import fakes
from tests.fakes.apiserver import FakeApiServer, status
from tests.fakes.clients import FailingHttp

TOKEN = "t0ken-of-the-account"
EVENTS = re.compile(r"/api/v1/namespaces/([a-z0-9-]+)/events(?:/([a-z0-9.-]+))?")
FIELDS = {
    *("apiVersion", "kind", "metadata", "involvedObject", "source", "reportingComponent", "reportingInstance"),
    *("firstTimestamp", "lastTimestamp", "count", "type", "reason", "message"),
}
CHANGEABLE = {"lastTimestamp", "count", "type", "reason", "message"}
CLUSTER_WIDE = {"Node", "Namespace", "PersistentVolume", "StorageClass"}


class Wired(KubernetesEvent):
    """The sink, in a cluster that is the fake."""

    _client: LiveKubernetes = PrivateAttr()

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        clients = Clients("", FailingHttp(None), self._client)
        return await super().deliver(message, receipt, replace(medium, cluster=lambda _message: clients))


class Fake(fakes.sinks.Fake):
    """`objects` are those that can be read, by path; the others are not found."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[tuple[str, str], dict[str, Any]] = {}
        self.objects: dict[str, dict[str, Any]] = {}
        self._clients: list[LiveKubernetes] = []
        self._folder = Path(tempfile.mkdtemp())

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.close()
        shutil.rmtree(self._folder)
        await super().__aexit__()

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        file = FakeApiServer(url=self.url).kubeconfig(self._folder, token=TOKEN)
        settings = KubernetesSettings.model_validate({"kubeconfig": file, "timeout": self.timeout})
        self._clients.append(LiveKubernetes("", settings, Metrics(), SystemClock()))
        sink = Wired.model_validate({"name": "events", "announce": True, **options})
        sink._client = self._clients[-1]
        return sink

    def things(self) -> list[fakes.sinks.Thing]:
        return [fakes.sinks.Thing(event["message"], open=event["type"] == "Warning") for event in self.events.values()]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.unauthorized()
        if request.path == "/apis":
            return web.json_response(FakeApiServer()._usual("/apis"))
        if request.method == "GET":
            if request.path in self.objects:
                return web.json_response(self.objects[request.path])
            return status(404, "NotFound", "not found")
        matched = EVENTS.fullmatch(request.path)
        if matched is None:
            self.refuse(f"{request.method} {request.path}")
            return status(404, "NotFound", "the server could not find the requested resource")
        namespace, name = matched.groups()
        event = fakes.sinks.document(body)
        if request.method == "POST" and name is None:
            return self._create(request, namespace, event)
        if request.method == "PATCH" and name is not None:
            return self._patch(request, (namespace, name), event)
        return status(405, "MethodNotAllowed", request.method)

    def unauthorized(self) -> web.Response:
        return status(403, "Forbidden", 'events is forbidden: User "x" cannot create resource "events"')

    def broken(self) -> web.Response:
        return status(500, "InternalError", "etcdserver: leader changed")

    def too_many_requests(self) -> web.Response:
        answer = status(429, "TooManyRequests", "too many requests")
        answer.headers["Retry-After"] = f"{fakes.sinks.RETRY_AFTER:g}"
        return answer

    def _create(self, request: web.Request, namespace: str, event: dict[str, Any]) -> web.Response:
        wrong = self._fault(namespace, event)
        if request.content_type != "application/json":
            wrong = f"content type {request.content_type}"
        if wrong:
            self.refuse(wrong)
            return status(422, "Invalid", wrong)
        key = (namespace, event["metadata"]["name"])
        if key in self.events:
            return status(409, "AlreadyExists", f'events "{key[1]}" already exists')
        self.events[key] = event
        return web.json_response(event, status=201)

    def _patch(self, request: web.Request, key: tuple[str, str], changes: dict[str, Any]) -> web.Response:
        if request.content_type != "application/merge-patch+json" or set(changes) - CHANGEABLE:
            self.refuse(f"{request.content_type} {sorted(changes)}")
        if key not in self.events:
            return status(404, "NotFound", f'events "{key[1]}" not found')
        changed = self.events[key] | changes
        if wrong := self._fault(key[0], changed):
            self.refuse(wrong)
            return status(422, "Invalid", wrong)
        self.events[key] = changed
        return web.json_response(changed)

    def _fault(self, namespace: str, event: dict[str, Any]) -> str:
        about, metadata = event.get("involvedObject", {}), event.get("metadata", {})
        name = metadata.get("name", "")
        if set(event) - FIELDS or set(event) != FIELDS:
            return f"fields {set(event) ^ FIELDS}"
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name) or len(name) > 253:
            return f"metadata.name {name}"
        expected = "default" if about.get("kind") in CLUSTER_WIDE else about.get("namespace")
        if metadata.get("namespace") != namespace or expected != namespace:
            return f"involvedObject.namespace: does not match event.namespace: {expected} {namespace}"
        if about.get("kind") in CLUSTER_WIDE and "namespace" in about:
            return "involvedObject.namespace of an object of the whole cluster"
        if len(event["message"].encode()) > 1024 or not event["message"]:
            return "message: can have at most 1024 bytes"
        for field in ("reason", "reportingInstance", "reportingComponent"):
            if not 0 < len(event[field].encode()) <= 128:
                return field
        if event["type"] not in ("Normal", "Warning") or not isinstance(event["count"], int):
            return "type or count"
        for field in ("firstTimestamp", "lastTimestamp"):
            datetime.strptime(event[field], "%Y-%m-%dT%H:%M:%SZ").astimezone()
        return ""
