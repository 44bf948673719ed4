"""The connection to an API server: kubernetes-asyncio's configuration, credentials and TLS, raw answers.

The generated models are not used: objects stay as the server sends them, so that any version of any
resource can be read.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from pydantic_core import from_json

from responder.clients import Document, Execution, Exists
from responder.clients.answers import check, read_bounded, unreachable
from responder.clients.execution import execute
from responder.clock import Clock
from responder.errors import Permanent, Reason, Temporary
from responder.model.redaction import redact
from responder.settings import KubernetesSettings

RENEWED_AFTER = 30.0
"""Seconds that credentials are trusted before a 401 makes us load them again."""
LARGEST_ANSWER = 64 * 1024 * 1024
LARGE = 262_144
MERGE, OPERATIONS = "application/merge-patch+json", "application/json-patch+json"

T = TypeVar("T")


class Expired(Permanent):
    """410: the version of the list that the server was asked for is gone."""


@dataclass
class _Connection:
    """An API client of the library, closed when the last request is done with it."""

    api: Any
    made_at: float
    requests: int = 0
    retired: bool = False


class ApiServer:
    """Sends requests. The library is loaded with the first one, which keeps an idle service small.

    Credentials are those of the kubeconfig (with its exec and token plugins) or of the pod's account. They
    are loaded again when the server refuses them, so that short-lived ones are renewed.
    """

    def __init__(self, what: str, settings: KubernetesSettings, clock: Clock) -> None:
        self.what = what
        self._settings = settings
        self._clock = clock
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()

    async def json(self, path: str) -> dict[str, Any]:
        """The JSON object at a path; raises Temporary with Reason.BAD_ANSWER where there is something else."""
        body = await self.get(path, LARGEST_ANSWER)
        return await asyncio.to_thread(self._object, body) if len(body) > LARGE else self._object(body)

    async def get(self, path: str, limit: int) -> bytes:
        """The body at a path, at most `limit` bytes; raises Expired for a list that is gone."""
        return await self._renewing(lambda: self._ask("GET", path, limit))

    async def review(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST a review, which changes nothing; raises Temporary with Reason.BAD_ANSWER for what is no object."""
        return self._object(await self._renewing(lambda: self._ask("POST", path, LARGEST_ANSWER, body)))

    async def change(self, method: str, path: str, body: Document) -> dict[str, Any]:
        """POST an object, or PATCH one with what it shall have; raises Exists where the server answers 409."""
        return self._object(await self._renewing(lambda: self._ask(method, path, LARGEST_ANSWER, body)))

    async def execute(self, path: str, limit: int) -> Execution:
        """Run a command in a container: `path` is that of a pod's `exec` with its query."""
        return await self._renewing(lambda: self._execute(path, limit))

    async def _renewing(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again with new credentials where the present ones are refused."""
        try:
            return await ask()
        except Permanent as trouble:
            if trouble.reason is not Reason.UNAUTHORIZED or not await self._renew():
                raise
        return await ask()

    async def close(self) -> None:
        """Release connections."""
        if self._connection is not None:
            await self._connection.api.close()

    def _object(self, body: bytes) -> dict[str, Any]:
        try:
            answer = from_json(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Temporary(f"{self.what} did not answer with a JSON object", Reason.BAD_ANSWER)
        return answer

    async def _execute(self, path: str, limit: int) -> Execution:
        try:
            async with self._connected() as api:
                rest = api.rest_client
                return await execute(
                    rest.pool_manager,
                    api.configuration.host + path,
                    await _headers(api),
                    limit=limit,
                    proxy=rest.proxy,
                    server_hostname=rest.server_hostname,
                )
        except aiohttp.WSServerHandshakeError as error:
            check(error.status, f"{self.what} (exec)", error.message)
            raise Permanent(f"{self.what} does not speak the protocol of exec", Reason.BAD_ANSWER) from None
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(error, self.what) from None

    async def _ask(self, method: str, path: str, limit: int, sent: Document | None = None) -> bytes:
        try:
            async with self._connected() as api:
                rest = api.rest_client
                async with rest.pool_manager.request(
                    method,
                    api.configuration.host + path,
                    json=sent,
                    headers=await _headers(api) | ({"Content-Type": _form(sent)} if method == "PATCH" else {}),
                    proxy=rest.proxy,
                    server_hostname=rest.server_hostname,
                    allow_redirects=False,
                ) as response:
                    body = await read_bounded(response, limit, self.what)
                    self._check(response, body)
                    return body
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(error, self.what) from None

    def _check(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        if response.status < 300:
            return
        said, after = _status(body)
        if response.status == 409 and b'"AlreadyExists"' not in body:
            raise Permanent(f"{self.what} answered 409: {redact(said)[:256]}", Reason.BAD_REQUEST)
        if response.status == 410:
            raise Expired(f"{self.what} answered 410: {said}", Reason.NOT_FOUND)
        if response.status == 409:
            raise Exists(f"{self.what} answered 409: {redact(said)[:256]}", Reason.BAD_REQUEST)
        check(response.status, self.what, said, response.headers.get("Retry-After", after))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        async with self._connecting:
            if self._connection is None:
                self._connection = _Connection(await _connect(self._settings), self._clock.now().timestamp())
            connection = self._connection
        connection.requests += 1
        try:
            yield connection.api
        finally:
            connection.requests -= 1
            if connection.retired and not connection.requests:
                await connection.api.close()

    async def _renew(self) -> bool:
        """Let the next request load the configuration again, unless it was loaded just now."""
        connection = self._connection
        if connection is None:
            return True
        if self._clock.now().timestamp() - connection.made_at < RENEWED_AFTER:
            return False
        self._connection = None
        connection.retired = True
        if not connection.requests:
            await connection.api.close()
        return True


async def _connect(settings: KubernetesSettings) -> Any:
    """A configured API client of the library; raises Permanent where the configuration is unusable."""
    library = await asyncio.to_thread(_load_library)
    configuration = library.client.Configuration()
    try:
        if settings.kubeconfig is not None or settings.context:
            file = str(settings.kubeconfig) if settings.kubeconfig else None
            await library.config.load_kube_config(
                config_file=file, context=settings.context or None, client_configuration=configuration
            )
        else:
            library.config.load_incluster_config(client_configuration=configuration)
        return library.client.ApiClient(configuration)
    except Exception as error:
        # plugins and parsers of the library raise whatever they like
        message = f"the Kubernetes configuration cannot be used: {redact(str(error) or type(error).__name__)}"
        raise Permanent(message[:256], Reason.NOT_CONFIGURED) from None


async def _headers(api: Any) -> dict[str, str]:
    headers = {"Accept": "application/json, */*", "User-Agent": "responder"}
    await api.update_params_for_auth(headers, [], ["BearerToken"])
    return headers


def _form(patch: Document | None) -> str:
    return MERGE if isinstance(patch, Mapping) else OPERATIONS


def _load_library() -> Any:
    import kubernetes_asyncio.config

    return kubernetes_asyncio


def _status(body: bytes) -> tuple[str, str]:
    """Message of a `Status` (or the text) and the seconds it says to wait."""
    try:
        answer = from_json(body)
    except ValueError:
        return body[:1024].decode("utf-8", "replace"), ""
    if not isinstance(answer, dict):
        return "", ""
    details = answer.get("details")
    after = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return str(answer.get("message", "")), str(after or "")
