"""Alertmanager's API v2, to reconcile what webhooks leave out (alertmanager, api/v2/openapi.yaml)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import aiohttp
from pydantic_core import from_json

from responder.clients.answers import check, read_bounded, unreachable
from responder.clients.credentials import Credentials, public
from responder.clients.sharing import Shared
from responder.clock import Clock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.settings import AlertmanagerSettings

LARGEST_ANSWER = 64 * 1024 * 1024


class HttpAlertmanager:
    """One Alertmanager."""

    def __init__(
        self, settings: AlertmanagerSettings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
    ) -> None:
        self._url = settings.url
        self.url = public(settings.external_url or settings.url)
        self._settings = settings
        self._clock = clock
        self._session = session
        self._credentials = Credentials(settings)
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
        """Alerts as `GET /api/v2/alerts` returns them, active and suppressed; `matchers` are its filters.

        Raises Temporary also where Alertmanager started just now: it keeps no alerts over a restart, and one that
        it has not been told of again yet would look as if it were over.
        """
        return await self._shared.ask(matchers, lambda: self._alerts(matchers))

    async def silence(self, labels: Mapping[str, str], *, until: datetime, reason: str, by: str, mark: str) -> str:
        """Silence the alerts with these labels until then; returns the silence's id.

        `mark` becomes a part of the comment. A silence of the same labels with it that has not ended is prolonged,
        so that asking twice makes one: the API has no key of its own.
        """
        key = ("silence", tuple(sorted(labels.items())), until, reason, by, mark)
        return await self._shared.ask(key, lambda: self._silence(labels, until, reason, by, mark), cache=False)

    async def unsilence(self, mark: str) -> int:
        """End the silences whose comment has the mark, as `silence` wrote it; returns how many there were."""
        return await self._shared.ask(("unsilence", mark), lambda: self._unsilence(mark), cache=False)

    async def close(self) -> None:
        """Give up what is under way."""
        await self._shared.close()

    async def _alerts(self, matchers: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        await self._check_age()
        answer = await self._get("/api/v2/alerts", [("filter", matcher) for matcher in matchers])
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise Temporary(f"{self._what} did not answer with a list of alerts", Reason.BAD_ANSWER)
        return answer

    async def _check_age(self) -> None:
        """What speaks the API without telling its age (Mimir, Grafana) is taken to be old."""
        try:
            status = await self._get("/api/v2/status", [])
            started = datetime.fromisoformat(status["uptime"])
            age = (self._clock.now() - started).total_seconds()
        except (Permanent, KeyError, TypeError, ValueError):
            return
        missing = self._settings.warm_up.total_seconds() - age
        if age >= 0 and missing > 0:
            message = f"{self._what} started {age:.0f} s ago and may not know all alerts again yet"
            raise Temporary(message, Reason.BAD_ANSWER, after=missing)

    async def _silence(self, labels: Mapping[str, str], until: datetime, reason: str, by: str, mark: str) -> str:
        matchers = [
            {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in sorted(labels.items())
        ]
        wanted: dict[str, Any] = {
            "matchers": matchers,
            "startsAt": self._clock.now().isoformat(),
            "endsAt": until.isoformat(),
            "createdBy": by,
            "comment": f"{reason} ({mark})",
        }
        if known := same_silence(await self._get("/api/v2/silences", []), matchers, mark):
            if datetime.fromisoformat(known["endsAt"]) >= until:
                return str(known["id"])
            wanted |= {"id": known["id"], "startsAt": known["startsAt"]}
        answer = await self._ask("POST", "/api/v2/silences", document=wanted)
        number = answer.get("silenceID") if isinstance(answer, dict) else None
        if not number:
            raise Temporary(f"{self._what} did not say which silence it made", Reason.BAD_ANSWER)
        return str(number)

    async def _unsilence(self, mark: str) -> int:
        silences = await self._get("/api/v2/silences", [])
        ids = [silence["id"] for silence in silences if _marked(silence, mark)] if isinstance(silences, list) else []
        for number in ids:
            await self._ask("DELETE", f"/api/v2/silence/{quote(str(number), safe='')}")
        return len(ids)

    async def _get(self, path: str, params: Sequence[tuple[str, str]]) -> Any:
        """The JSON of an answer, None where it is none."""
        return await self._ask("GET", path, params=params)

    async def _ask(
        self, method: str, path: str, *, params: Sequence[tuple[str, str]] = (), document: Any = None
    ) -> Any:
        try:
            async with self._session.request(
                method,
                f"{self._url}{path}",
                params=params,
                json=document,
                headers=self._credentials.headers(),
                allow_redirects=False,
            ) as response:
                body = await read_bounded(response, LARGEST_ANSWER, self._what)
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(error, self._what) from None
        said = body[:2048].decode("utf-8", "replace")
        check(response.status, self._what, said, response.headers.get("Retry-After", ""))
        try:
            return from_json(body)
        except ValueError:
            return None

    @property
    def _what(self) -> str:
        return self._shared.name


def _marked(silence: Any, mark: str) -> bool:
    """Whether a silence has the mark and has not ended."""
    try:
        return str(silence["comment"]).endswith(f"({mark})") and silence["status"]["state"] in ("active", "pending")
    except (KeyError, TypeError):
        return False


def same_silence(silences: Any, matchers: Sequence[Mapping[str, Any]], mark: str) -> Mapping[str, Any] | None:
    """The silence with these matchers and the mark that has not ended, of what `GET /api/v2/silences` returns."""
    for silence in silences if isinstance(silences, list) else ():
        try:
            given = sorted(
                (one["name"], one["value"], one["isRegex"], one.get("isEqual", True)) for one in silence["matchers"]
            )
            same = given == [(one["name"], one["value"], False, True) for one in matchers]
            if same and mark in silence["comment"] and silence["status"]["state"] in ("active", "pending"):
                return {name: silence[name] for name in ("id", "startsAt", "endsAt")}
        except (KeyError, TypeError):
            continue
    return None


def connect(
    settings: AlertmanagerSettings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
) -> HttpAlertmanager | None:
    """The client, or None where no URL is set."""
    return HttpAlertmanager(settings, session, metrics, clock) if settings.url else None
