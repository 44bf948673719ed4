"""A live cluster: lists, objects and logs of its API server, shared between those who ask."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from pydantic_core import to_json

from responder.clients import REVIEWS, Document, Execution, Kubernetes, Listing
from responder.clients.allowing import allowed
from responder.clients.apiserver import ApiServer, Expired
from responder.clients.discovery import Discovery, Resource, segment
from responder.clients.objects import pruned, read_page
from responder.clients.sharing import Shared
from responder.clients.snapshot import SnapshotKubernetes
from responder.clock import Clock
from responder.errors import Permanent, Reason
from responder.metrics import Metrics
from responder.settings import KubernetesSettings

PAGE = 500
LARGEST_LOG = 4 * 1024 * 1024
LARGEST_OUTPUT = 64 * 1024
TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
KILLED = 137
"""The exit code of a command that was ended by force."""
GRACE = 2.0
"""Seconds until a command that is ended in its container has said so."""
REMOVED = "unable to retrieve container logs for "


class LiveKubernetes:
    """One cluster's API server."""

    def __init__(self, name: str, settings: KubernetesSettings, metrics: Metrics, clock: Clock) -> None:
        self.name = name
        self._settings = settings
        what = f"the Kubernetes API{f' of cluster {name}' if name else ''}"
        self._server = ApiServer(what, settings, clock)
        self._shared = self._share(what, metrics, clock)
        # a node that is down answers no logs; that must not stop the questions about the cluster
        self._logs = self._share(f"{what} (logs)", metrics, clock)
        # neither must a command that takes too long stop the questions about logs
        self._commands = self._share(f"{what} (commands)", metrics, clock)
        self._writes = self._share(f"{what} (changes)", metrics, clock)
        self._discovery = Discovery(self._json, clock)

    def kubectl(self, *arguments: str) -> str:
        """The equivalent command, quoted for a shell."""
        command = ["kubectl"]
        if self._settings.kubeconfig is not None:
            command += ["--kubeconfig", str(self._settings.kubeconfig)]
        if self._settings.context:
            command += ["--context", self._settings.context]
        return shlex.join([*command, *arguments])

    async def list(
        self, resource: str, *, namespace: str = "", labels: str = "", fields: str = "", limit: int = 0
    ) -> Listing:
        """List a resource, page by page."""
        found = await self._discovery.find(resource)
        wanted = min(limit or self._settings.max_items, self._settings.max_items)
        query = {"limit": str(min(PAGE, wanted)), "labelSelector": labels, "fieldSelector": fields}
        path = f"{found.path(namespace)}?{urlencode({name: value for name, value in query.items() if value})}"
        return await self._shared.ask(("list", path, wanted), lambda: self._pages(found, path, wanted))

    async def get(self, resource: str, name: str, *, namespace: str = "") -> dict[str, Any]:
        """One object; raises Permanent with Reason.NOT_FOUND."""
        found = await self._discovery.find(resource)
        return pruned(await self._json(f"{found.path(namespace)}/{segment(name)}"), found.version, found.kind)

    async def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail: int = 500,
        since: timedelta | None = None,
    ) -> str:
        """The end of a container's log, each line with its timestamp; fewer lines where they are too large.

        Raises Permanent with Reason.NOT_FOUND where the container has not begun, has no previous run, or
        its log is removed already.
        """
        query = {"container": container, "limitBytes": str(LARGEST_LOG), "timestamps": "true"}
        if previous:
            query["previous"] = "true"
        if since is not None:
            query["sinceSeconds"] = str(max(1, int(since.total_seconds())))
        path = f"/api/v1/namespaces/{segment(namespace)}/pods/{segment(pod)}/log?{urlencode(query)}"
        return await self._logs.ask((path, tail), lambda: self._tail(path, tail))

    async def create(
        self, resource: str, body: Mapping[str, Any], *, namespace: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Make an object; raises Exists where one has its name."""
        found = await self._discovery.find(resource)
        return await self._write("POST", found.path(namespace), body, dry_run)

    async def patch(
        self, resource: str, name: str, body: Document, *, namespace: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Change an object; raises Permanent with Reason.NOT_FOUND."""
        whole, slash, part = resource.partition("/")
        found = await self._discovery.find(whole)
        return await self._write("PATCH", f"{found.path(namespace)}/{segment(name)}{slash}{part}", body, dry_run)

    async def evict(self, pod: str, *, namespace: str, uid: str = "", dry_run: bool = False) -> None:
        """Delete a pod as its budgets allow (Kubernetes, concepts/scheduling-eviction/api-eviction)."""
        version = (await self._discovery.find("poddisruptionbudgets.policy")).version
        body: dict[str, Any] = {
            "apiVersion": version,
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        }
        if uid:
            body["deleteOptions"] = {"preconditions": {"uid": uid}}
        path = f"/api/v1/namespaces/{segment(namespace)}/pods/{segment(pod)}/eviction"
        await self._write("POST", path, body, dry_run)

    async def version(self) -> str:
        """The server's version."""
        return str((await self._json("/version")).get("gitVersion", ""))

    async def review(self, kind: str, spec: Mapping[str, Any], *, namespace: str = "") -> Mapping[str, Any]:
        """The `status` of an access review."""
        inside = f"/namespaces/{segment(namespace)}" if kind.startswith("Local") else ""
        path = f"/apis/authorization.k8s.io/v1{inside}/{REVIEWS[kind]}"
        body: dict[str, Any] = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": dict(spec)}
        if inside:
            body["metadata"] = {"namespace": namespace}
        key = ("review", path, to_json(spec))
        answer = await self._shared.ask(key, lambda: self._server.review(path, body))
        status = answer.get("status")
        if not isinstance(status, dict):
            raise Permanent("the Kubernetes API answered a review with something else", Reason.BAD_ANSWER)
        return status

    async def exec(
        self, namespace: str, pod: str, container: str, command: Sequence[str], *, timeout: float = 10
    ) -> Execution:
        """Run a command that `kubernetes.exec` of the settings allows."""
        if not allowed(self._settings.exec, namespace, command):
            raise Permanent(
                f"the command {shlex.join(command)[:200]!r} is not allowed in {namespace}: "
                "add its arguments to kubernetes.exec in the settings if it may run",
                Reason.FORBIDDEN,
            )
        # a command goes on when its connection ends: only the container's own `timeout`, if it has one, ends it
        bounded = ["timeout", "-s", "KILL", str(math.ceil(timeout)), *command]
        ended = await self._run(namespace, pod, container, bounded, timeout)
        if ended.code is None and '"timeout": executable file not found' in ended.error:
            return await self._run(namespace, pod, container, command, timeout)
        if ended.code == KILLED:
            return replace(ended, error=f"it was ended, since it took longer than {timeout:g} s")
        return ended

    async def _run(self, namespace: str, pod: str, container: str, command: Sequence[str], timeout: float) -> Execution:
        query = [("command", word) for word in command]
        query += [("container", container), ("stdout", "true"), ("stderr", "true")]
        path = f"/api/v1/namespaces/{segment(namespace)}/pods/{segment(pod)}/exec?{urlencode(query)}"
        return await self._commands.ask(
            path, lambda: self._server.execute(path, LARGEST_OUTPUT), timeout=timeout + GRACE
        )

    async def close(self) -> None:
        """Release connections."""
        await self._shared.close()
        await self._logs.close()
        await self._commands.close()
        await self._writes.close()
        await self._server.close()

    def _share(self, what: str, metrics: Metrics, clock: Clock) -> Shared:
        return Shared(
            what,
            "kubernetes",
            concurrency=self._settings.concurrency,
            timeout=self._settings.timeout.total_seconds(),
            cache=self._settings.cache.total_seconds(),
            metrics=metrics,
            clock=clock,
        )

    async def _json(self, path: str) -> dict[str, Any]:
        return await self._shared.ask(path, lambda: self._server.json(path))

    async def _write(self, method: str, path: str, body: Document, dry_run: bool = False) -> dict[str, Any]:
        path += "?dryRun=All" if dry_run else ""
        key = (method, path, json.dumps(body))
        return await self._writes.ask(key, lambda: self._server.change(method, path, body), cache=False)

    async def _pages(self, resource: Resource, path: str, wanted: int) -> Listing:
        """All pages; from the first again when the list expires on the way, once."""
        items: list[dict[str, Any]] = []
        onward, again = "", False
        while True:
            try:
                answer = await self._server.json(path + (f"&continue={quote(onward, safe='')}" if onward else ""))
            except Expired:
                if again or not onward:
                    raise
                items, onward, again = [], "", True
                continue
            page = read_page(answer, resource.version, resource.kind)
            items += page.items
            onward = page.onward
            if not onward or len(items) >= wanted:
                missing = max(0, len(items) - wanted) + page.left
                truncated = f"{missing or 'some'} more {resource.name} were not read" if onward or missing else ""
                return Listing(items[:wanted], truncated)

    async def _tail(self, path: str, tail: int) -> str:
        try:
            body = await self._server.get(f"{path}&tailLines={tail}", LARGEST_LOG + 1024)
            # the server counts lines from the end and bytes from there on: too many bytes lose the newest lines
            while len(body) >= LARGEST_LOG and tail > 1:
                tail //= 4
                body = await self._server.get(f"{path}&tailLines={tail}", LARGEST_LOG + 1024)
        except Permanent as trouble:
            if trouble.reason is Reason.BAD_REQUEST and "must be specified" not in str(trouble):
                raise Permanent(str(trouble), Reason.NOT_FOUND) from None
            raise
        text = body.decode("utf-8", "replace")
        if text.startswith(REMOVED):
            raise Permanent("the log is removed already: the kubelet keeps few dead containers", Reason.NOT_FOUND)
        return text


def connect(name: str, settings: KubernetesSettings, metrics: Metrics, clock: Clock) -> Kubernetes | None:
    """The client that the settings ask for: a snapshot, a kubeconfig, the pod's own account, or None."""
    if settings.snapshot is not None:
        return SnapshotKubernetes(name, settings.snapshot)
    mounted = _mounted(settings)
    if settings.kubeconfig is not None or settings.context or mounted:
        return LiveKubernetes(name, settings, metrics, clock)
    return None


def inside(settings: KubernetesSettings) -> bool:
    """Whether Responder runs in the cluster that the settings mean."""
    elsewhere = settings.snapshot is not None or settings.kubeconfig is not None or settings.context
    return not elsewhere and _mounted(settings)


def _mounted(settings: KubernetesSettings) -> bool:
    return settings.in_cluster if settings.in_cluster is not None else TOKEN.exists()
