"""A live cluster, through kubernetes-asyncio: its configuration, credentials and TLS; answers are plain JSON.

The generated models are not used: objects stay as the server sends them, so that any version of any
resource can be read.
"""

import asyncio
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from pydantic_core import from_json

from responder.clients import Kubernetes, Listing
from responder.clients.answers import check, read_bounded, unreachable
from responder.clients.discovery import Discovery, Resource
from responder.clients.objects import pruned
from responder.clients.sharing import Shared
from responder.clients.snapshot import SnapshotKubernetes
from responder.clock import Clock
from responder.errors import Permanent, Reason, ResponderError, Temporary
from responder.metrics import Metrics
from responder.settings import KubernetesSettings

PAGE = 500
LARGEST_ANSWER = 64 * 1024 * 1024
LARGEST_LOG = 1024 * 1024
TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
GONE = "unable to retrieve container logs for "


class LiveKubernetes:
    """One cluster's API server. The library is loaded with the first question, which keeps an idle service small."""

    def __init__(self, name: str, settings: KubernetesSettings, metrics: Metrics, clock: Clock) -> None:
        self.name = name
        self._settings = settings
        self._shared = Shared(
            f"the Kubernetes API{f' of cluster {name}' if name else ''}",
            "kubernetes",
            concurrency=settings.concurrency,
            timeout=settings.timeout.total_seconds(),
            cache=settings.cache.total_seconds(),
            metrics=metrics,
            clock=clock,
        )
        self._discovery = Discovery(self._get_json, clock)
        self._api: Any = None
        self._connecting = asyncio.Lock()

    def kubectl(self, *arguments: str) -> str:
        """The equivalent command, quoted for a shell."""
        command = ["kubectl"]
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
        path = f"{found.path(namespace)}/{quote(name, safe='')}"
        answer = await self._shared.ask(path, lambda: self._get_json(path))
        return pruned(answer, found.version, found.kind)

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
        """The end of a container's log, each line with its timestamp."""
        query = {"container": container, "tailLines": str(tail), "limitBytes": str(LARGEST_LOG), "timestamps": "true"}
        if previous:
            query["previous"] = "true"
        if since is not None:
            query["sinceSeconds"] = str(max(1, int(since.total_seconds())))
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/log?{urlencode(query)}"
        text = (await self._shared.ask(path, lambda: self._get(path, LARGEST_LOG + 1024))).decode("utf-8", "replace")
        if text.startswith(GONE):
            raise Permanent(f"the log of {namespace}/{pod} {container} is gone already", Reason.NOT_FOUND)
        return text

    async def version(self) -> str:
        """The server's version."""
        return str((await self._shared.ask("/version", lambda: self._get_json("/version"))).get("gitVersion", ""))

    async def close(self) -> None:
        """Release connections."""
        await self._shared.close()
        if self._api is not None:
            await self._api.close()

    async def _pages(self, resource: Resource, path: str, wanted: int) -> Listing:
        items: list[dict[str, Any]] = []
        onward = ""
        while True:
            answer = await self._get_json(path + (f"&continue={quote(onward, safe='')}" if onward else ""))
            kind = str(answer.get("kind", "")).removesuffix("List") or resource.kind
            version = str(answer.get("apiVersion", "")) or resource.version
            items += [pruned(item, version, resource.kind or kind) for item in answer.get("items") or ()]
            metadata = answer.get("metadata") or {}
            onward = str(metadata.get("continue") or "")
            if not onward or len(items) >= wanted:
                break
        left = int(metadata.get("remainingItemCount") or 0) if onward else 0
        missing = max(0, len(items) - wanted) + left
        truncated = f"{missing or 'some'} more {resource.name} were not read" if onward or missing else ""
        return Listing(items[:wanted], truncated)

    async def _get_json(self, path: str) -> dict[str, Any]:
        body = await self._get(path, LARGEST_ANSWER)
        try:
            answer = await asyncio.to_thread(from_json, body) if len(body) > 262_144 else from_json(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Temporary("the Kubernetes API did not answer with a JSON object", Reason.BAD_ANSWER)
        return answer

    async def _get(self, path: str, limit: int) -> bytes:
        api = await self._connected()
        what = "the Kubernetes API"
        headers: dict[str, str] = {"Accept": "application/json, */*", "User-Agent": "responder"}
        try:
            await api.update_params_for_auth(headers, [], ["BearerToken"])
            session: aiohttp.ClientSession = api.rest_client.pool_manager
            rest = api.rest_client
            async with session.get(
                api.configuration.host + path,
                headers=headers,
                proxy=rest.proxy,
                server_hostname=rest.server_hostname,
                allow_redirects=False,
            ) as response:
                body = await read_bounded(response, limit, what)
                retry_after = response.headers.get("Retry-After", "")
                check(response.status, what, _said(body) if response.status >= 300 else "", retry_after)
                return body
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(error, what) from None

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._api is None:
                self._api = await _connect(self._settings)
            return self._api


def connect(name: str, settings: KubernetesSettings, metrics: Metrics, clock: Clock) -> Kubernetes | None:
    """The client that the settings ask for: a snapshot, a kubeconfig, the pod's own account, or None."""
    if settings.snapshot is not None:
        return SnapshotKubernetes(name, settings.snapshot)
    mounted = settings.in_cluster if settings.in_cluster is not None else TOKEN.exists()
    if settings.kubeconfig is not None or settings.context or mounted:
        return LiveKubernetes(name, settings, metrics, clock)
    return None


async def _connect(settings: KubernetesSettings) -> Any:
    """A configured API client of the library; raises Permanent where the configuration is unusable."""
    from_library = await asyncio.to_thread(_load_library)
    configuration = from_library.client.Configuration()
    try:
        if settings.kubeconfig is not None or settings.context:
            file = str(settings.kubeconfig) if settings.kubeconfig else None
            await from_library.config.load_kube_config(
                config_file=file, context=settings.context or None, client_configuration=configuration
            )
        else:
            from_library.config.load_incluster_config(client_configuration=configuration)
    except ResponderError:
        raise
    except Exception as error:
        message = f"the Kubernetes configuration cannot be used: {error}"
        raise Permanent(message[:256], Reason.UNAUTHORIZED) from None
    return from_library.client.ApiClient(configuration)


def _load_library() -> Any:
    import kubernetes_asyncio
    import kubernetes_asyncio.config

    return kubernetes_asyncio


def _said(body: bytes) -> str:
    """The message of a `Status`, or the text."""
    try:
        answer = from_json(body)
    except ValueError:
        return body[:1024].decode("utf-8", "replace")
    return str(answer.get("message", "")) if isinstance(answer, dict) else ""
