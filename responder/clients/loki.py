"""Loki's HTTP API (grafana.com/docs/loki/latest/reference/loki-http-api)."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp
from pydantic_core import from_json

from responder.clients import Answer, LogLine
from responder.clients.answers import check, read_bounded, unreachable
from responder.clients.credentials import Credentials, public
from responder.clients.sharing import Shared
from responder.clock import Clock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.model.evidence import Series
from responder.model.lines import plain
from responder.settings import LokiSettings

LARGEST_ANSWER = 32 * 1024 * 1024
SHOWN_OF_WARNING = 256
RANGE = "/loki/api/v1/query_range"

Found = Answer[LogLine] | Answer[Series]


class HttpLoki:
    """One Loki, or what speaks its API."""

    def __init__(
        self, name: str, settings: LokiSettings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
    ) -> None:
        self.name = name
        self._asked = settings.url
        self.url = public(settings.url)
        self._what = f"Loki at {self.url}"
        self._settings = settings
        self._session = session
        self._credentials = Credentials(settings)
        self._shared = Shared(
            self._what,
            "loki",
            concurrency=settings.concurrency,
            timeout=settings.timeout.total_seconds(),
            cache=settings.cache.total_seconds(),
            metrics=metrics,
            clock=clock,
        )

    async def query(
        self, query: str, *, start: datetime, end: datetime, step: timedelta, limit: int, forward: bool = False
    ) -> Found:
        """A range query: lines, the newest first unless `forward`, or the series of a metric query."""
        form = {
            "query": query,
            "start": _nanoseconds(start),
            "end": _nanoseconds(end),
            "step": f"{step.total_seconds():g}",
            "limit": str(limit),
            "direction": "forward" if forward else "backward",
        }
        key = tuple(form.values())
        return await self._shared.ask(key, lambda: self._query(form))

    async def ready(self) -> str:
        """Its version, once it answers."""
        told = await self._shared.ask(("version",), lambda: self._request("/loki/api/v1/status/buildinfo", {}))
        return str(told.get("version") or "")

    def link(self, query: str, *, start: datetime, end: datetime) -> str:
        """Grafana's Explore page; empty where `external_url` is not set."""
        grafana = public(self._settings.external_url)
        if not grafana or grafana == self.url:
            return ""
        pane = {
            "datasource": self._settings.datasource,
            "queries": [{"refId": "A", "expr": query}],
            "range": {"from": str(int(start.timestamp() * 1000)), "to": str(int(end.timestamp() * 1000))},
        }
        return f"{grafana}/explore?{urlencode({'left': json.dumps(pane, separators=(',', ':'))})}"

    async def close(self) -> None:
        """Give up what is under way."""
        await self._shared.close()

    async def _query(self, form: Mapping[str, str]) -> Found:
        told = await self._request(RANGE, form)
        return await asyncio.to_thread(_read, told, self._what)

    async def _request(self, path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            async with self._session.get(
                self._asked + path, params=parameters, headers=self._credentials.headers(), allow_redirects=False
            ) as response:
                body = await read_bounded(response, LARGEST_ANSWER, self._what)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unreachable(error, self._what) from None
        if response.status == 404:
            raise Permanent(f"{self._what} answered 404: does loki.url have the right path?", Reason.NOT_FOUND)
        if 300 <= response.status < 400:
            message = f"{self._what} answered {response.status}, a redirect: set loki.url to where it leads"
            raise Permanent(message, Reason.NOT_FOUND)
        check(response.status, self._what, _said(body), response.headers.get("Retry-After", ""))
        try:
            told = await asyncio.to_thread(from_json, body)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise Temporary(f"{self._what} did not answer as Loki does", Reason.BAD_ANSWER)
        return told


def connect(
    name: str, settings: LokiSettings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
) -> HttpLoki | None:
    """The client, or None where no URL is set."""
    return HttpLoki(name, settings, session, metrics, clock) if settings.url else None


def _said(body: bytes) -> str:
    """Loki's own words: plain text, behind some gateways Prometheus' envelope."""
    try:
        told = from_json(body)
    except ValueError:
        told = None
    if isinstance(told, dict) and (words := told.get("error") or told.get("message")):
        return str(words)
    return body[:2048].decode("utf-8", "replace")


def _read(told: Mapping[str, Any], what: str) -> Found:
    warnings = [str(item)[:SHOWN_OF_WARNING] for item in told.get("warnings") or ()]
    try:
        data = told["data"]
        match data["resultType"]:
            case "streams":
                return Answer(_lines(data["result"]), warnings)
            case "matrix":
                return Answer(
                    [Series(labels=item["metric"], points=_points(item["values"])) for item in data["result"]], warnings
                )
            case "vector" | "scalar" as kind:
                message = f"the query gives a {kind}, wanted are lines or a series: ask for a rate or a count"
                raise Permanent(message, Reason.BAD_REQUEST)
            case _:
                raise KeyError("resultType")
    except (KeyError, IndexError, TypeError, ValueError):
        raise Temporary(f"{what} did not answer as Loki does", Reason.BAD_ANSWER) from None


def _lines(result: Sequence[Mapping[str, Any]]) -> list[LogLine]:
    return [
        LogLine(item["stream"], datetime.fromtimestamp(int(entry[0]) / 1e9, UTC), plain(str(entry[1])))
        for item in result
        for entry in item["values"]
    ]


def _points(values: Sequence[Sequence[Any]]) -> tuple[tuple[float, float], ...]:
    points = ((float(at), float(value)) for at, value in values)
    return tuple((at, value) for at, value in points if math.isfinite(value))


def _nanoseconds(at: datetime) -> str:
    return str(int(at.timestamp()) * 1_000_000_000)
