"""Alertmanager's API v2, to reconcile what webhooks leave out (alertmanager, api/v2/openapi.yaml)."""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from pydantic_core import from_json

from responder.clients.answers import SecretFile, check, read_bounded, unreachable
from responder.clients.sharing import Shared
from responder.clock import Clock
from responder.errors import Reason, Temporary
from responder.metrics import Metrics
from responder.settings import AlertmanagerSettings

LARGEST_ANSWER = 64 * 1024 * 1024


class HttpAlertmanager:
    """One Alertmanager."""

    def __init__(
        self, settings: AlertmanagerSettings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
    ) -> None:
        self._url = settings.url
        self._settings = settings
        self._session = session
        self._token = SecretFile(settings.token, settings.token_file)
        self._shared = Shared(
            f"Alertmanager at {settings.url}",
            "alertmanager",
            concurrency=settings.concurrency,
            timeout=settings.timeout.total_seconds(),
            cache=0,
            metrics=metrics,
            clock=clock,
        )

    async def alerts(self, *matchers: str) -> Sequence[Mapping[str, Any]]:
        """Alerts as `GET /api/v2/alerts` returns them, active and suppressed; `matchers` are its filters."""
        return await self._shared.ask(matchers, lambda: self._request(matchers))

    async def close(self) -> None:
        """Give up what is under way."""
        await self._shared.close()

    async def _request(self, matchers: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        what = f"Alertmanager at {self._url}"
        try:
            async with self._session.get(
                f"{self._url}/api/v2/alerts",
                params=[("filter", matcher) for matcher in matchers],
                headers=self._headers(),
                allow_redirects=False,
            ) as response:
                body = await read_bounded(response, LARGEST_ANSWER, what)
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(error, what) from None
        check(response.status, what, body[:2048].decode("utf-8", "replace"), response.headers.get("Retry-After", ""))
        try:
            answer = from_json(body)
        except ValueError:
            answer = None
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise Temporary(f"{what} did not answer with a list of alerts", Reason.BAD_ANSWER)
        return answer

    def _headers(self) -> dict[str, str]:
        headers = {name: value.get_secret_value() for name, value in self._settings.headers.items()}
        if token := self._token.get():
            headers["Authorization"] = f"Bearer {token}"
        elif self._settings.username:
            password = self._settings.password.get_secret_value() if self._settings.password else ""
            headers["Authorization"] = aiohttp.BasicAuth(self._settings.username, password).encode()
        return headers


def connect(
    settings: AlertmanagerSettings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
) -> HttpAlertmanager | None:
    """The client, or None where no URL is set."""
    return HttpAlertmanager(settings, session, metrics, clock) if settings.url else None
