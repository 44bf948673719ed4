"""Prometheus' HTTP API (prometheus.io/docs/prometheus/latest/querying/api)."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp
from pydantic_core import from_json

from responder.clients.answers import SecretFile, check, read_bounded, unreachable
from responder.clients.sharing import Shared
from responder.clock import Clock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.model.evidence import Sample, Series
from responder.settings import PrometheusSettings

LARGEST_ANSWER = 32 * 1024 * 1024


class HttpPrometheus:
    """One Prometheus, or what speaks its API."""

    def __init__(
        self, name: str, settings: PrometheusSettings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
    ) -> None:
        self.name = name
        self.url = settings.url
        self._shown = settings.external_url or settings.url
        self._settings = settings
        self._session = session
        self._token = SecretFile(settings.token, settings.token_file)
        self._shared = Shared(
            f"Prometheus at {self._shown}",
            "prometheus",
            concurrency=settings.concurrency,
            timeout=settings.timeout.total_seconds(),
            cache=settings.cache.total_seconds(),
            metrics=metrics,
            clock=clock,
        )

    async def query(self, expression: str, *, at: datetime | None = None) -> Sequence[Sample]:
        """An instant query that answers with a vector or a scalar."""
        form = {"query": expression} | ({"time": f"{at.timestamp():.3f}"} if at else {})
        data = await self._ask("/api/v1/query", form)
        if data.get("resultType") == "scalar":
            return [Sample(labels={}, value=float(data["result"][1]))]
        if data.get("resultType") != "vector":
            raise Permanent(f"the query gives a {data.get('resultType')}, wanted is a vector", Reason.BAD_REQUEST)
        return [
            Sample(labels=item["metric"], value=float(item["value"][1])) for item in data["result"] if "value" in item
        ]

    async def range(self, expression: str, *, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        """A range query. Points that are not finite numbers are left out."""
        form = {
            "query": expression,
            "start": f"{start.timestamp():.3f}",
            "end": f"{end.timestamp():.3f}",
            "step": f"{step.total_seconds():g}",
        }
        data = await self._ask("/api/v1/query_range", form)
        if data.get("resultType") != "matrix":
            raise Permanent(f"the query gives a {data.get('resultType')}, wanted is a matrix", Reason.BAD_REQUEST)
        return [Series(labels=item["metric"], points=_points(item.get("values", ()))) for item in data["result"]]

    async def rules(self) -> Sequence[Mapping[str, Any]]:
        """The alerting rules, as `GET /api/v1/rules?type=alert` returns them."""
        data = await self._ask("/api/v1/rules?type=alert", None)
        return [rule for group in data.get("groups", ()) for rule in group.get("rules", ())]

    def link(self, expression: str, *, at: datetime | None = None, hours: float = 1) -> str:
        """The page that shows the expression's graph."""
        query = {"g0.expr": expression, "g0.tab": "0", "g0.range_input": f"{max(1, round(hours * 60))}m"}
        if at is not None:
            query["g0.end_input"] = f"{at:%Y-%m-%d %H:%M:%S}"
        return f"{self._shown}/graph?{urlencode(query)}"

    async def close(self) -> None:
        """Give up what is under way."""
        await self._shared.close()

    async def _ask(self, path: str, form: Mapping[str, str] | None) -> Mapping[str, Any]:
        key = (path, tuple(sorted(form.items())) if form else ())
        return await self._shared.ask(key, lambda: self._request(path, form))

    async def _request(self, path: str, form: Mapping[str, str] | None) -> Mapping[str, Any]:
        what = f"Prometheus at {self._shown}"
        try:
            async with self._session.request(
                "GET" if form is None else "POST",
                self.url + path,
                data=form,
                headers=self._headers(),
                allow_redirects=False,
            ) as response:
                body = await read_bounded(response, LARGEST_ANSWER, what)
                return _data(response, body, what)
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(error, what) from None

    def _headers(self) -> dict[str, str]:
        headers = {name: value.get_secret_value() for name, value in self._settings.headers.items()}
        if token := self._token.get():
            headers["Authorization"] = f"Bearer {token}"
        elif self._settings.username:
            password = self._settings.password.get_secret_value() if self._settings.password else ""
            headers["Authorization"] = aiohttp.BasicAuth(self._settings.username, password).encode()
        return headers


def connect(
    name: str, settings: PrometheusSettings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
) -> HttpPrometheus | None:
    """The client, or None where no URL is set."""
    return HttpPrometheus(name, settings, session, metrics, clock) if settings.url else None


def _data(response: aiohttp.ClientResponse, body: bytes, what: str) -> Mapping[str, Any]:
    """The `data` of an answer; an error in Prometheus' own words where it has some."""
    try:
        answer = from_json(body)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and answer.get("status") == "error":
        check(response.status, what, str(answer.get("error", "")), response.headers.get("Retry-After", ""))
    text = body[:2048].decode("utf-8", "replace")
    check(response.status, what, text, response.headers.get("Retry-After", ""))
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
        raise Temporary(f"{what} did not answer as Prometheus does", Reason.BAD_ANSWER)
    found: Mapping[str, Any] = answer["data"]
    return found


def _points(values: Sequence[Sequence[Any]]) -> tuple[tuple[float, float], ...]:
    points = ((float(at), float(value)) for at, value in values)
    return tuple((at, value) for at, value in points if math.isfinite(value))
