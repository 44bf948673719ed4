"""Prometheus' HTTP API (prometheus.io/docs/prometheus/latest/querying/api)."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp
from pydantic_core import from_json

from responder.clients import Answer
from responder.clients.answers import check, read_bounded, unreachable
from responder.clients.credentials import Credentials, public
from responder.clients.sharing import Shared
from responder.clock import Clock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.model.evidence import Sample, Series
from responder.settings import PrometheusSettings

LARGEST_ANSWER = 32 * 1024 * 1024
LARGE = 256 * 1024
"""Bytes from which an answer is read in a thread."""
SHOWN_OF_WARNING = 256

T = TypeVar("T")


class HttpPrometheus:
    """One Prometheus, or what speaks its API."""

    def __init__(
        self, name: str, settings: PrometheusSettings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
    ) -> None:
        self.name = name
        self._asked = settings.url
        self.url = public(settings.url)
        self._shown = public(settings.external_url) or self.url
        self._session = session
        self._credentials = Credentials(settings)
        self._shared = Shared(
            f"Prometheus at {self._shown}",
            "prometheus",
            concurrency=settings.concurrency,
            timeout=settings.timeout.total_seconds(),
            cache=settings.cache.total_seconds(),
            metrics=metrics,
            clock=clock,
        )

    async def query(self, expression: str, *, at: datetime | None = None) -> Answer[Sample]:
        """An instant query that answers with a vector or a scalar."""
        form = {"query": expression} | ({"time": _time(at)} if at else {})
        return await self._ask("/api/v1/query", form, _samples)

    async def range(self, expression: str, *, start: datetime, end: datetime, step: timedelta) -> Answer[Series]:
        """A range query. Points that are not finite numbers are left out."""
        form = {"query": expression, "start": _time(start), "end": _time(end), "step": f"{step.total_seconds():g}"}
        return await self._ask("/api/v1/query_range", form, _series)

    async def rules(self) -> Answer[Mapping[str, Any]]:
        """The alerting rules, as `GET /api/v1/rules?type=alert` returns them."""
        return await self._ask("/api/v1/rules?type=alert", None, _rules)

    async def targets(self) -> Answer[Mapping[str, Any]]:
        """What it scrapes, as `GET /api/v1/targets?state=active` returns it."""
        return await self._ask("/api/v1/targets?state=active", None, _targets)

    def link(self, expression: str, *, at: datetime | None = None, hours: float = 1) -> str:
        """The page that shows the expression's graph."""
        query = {"g0.expr": expression, "g0.tab": "0", "g0.range_input": f"{max(1, round(hours * 60))}m"}
        if at is not None:
            query["g0.end_input"] = f"{at:%Y-%m-%d %H:%M:%S}"
        return f"{self._shown}/graph?{urlencode(query)}"

    async def close(self) -> None:
        """Give up what is under way."""
        await self._shared.close()

    async def _ask(
        self, path: str, form: Mapping[str, str] | None, read: Callable[[Mapping[str, Any]], Answer[T]]
    ) -> Answer[T]:
        key = (path, tuple(sorted(form.items())) if form else ())
        return await self._shared.ask(key, lambda: self._request(path, form, read))

    async def _request(
        self, path: str, form: Mapping[str, str] | None, read: Callable[[Mapping[str, Any]], Answer[T]]
    ) -> Answer[T]:
        what = f"Prometheus at {self._shown}"
        try:
            async with self._session.request(
                "GET" if form is None else "POST",
                self._asked + path,
                data=form,
                headers=self._credentials.headers(),
                allow_redirects=False,
            ) as response:
                body = await read_bounded(response, LARGEST_ANSWER, what)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unreachable(error, what) from None
        retry_after = response.headers.get("Retry-After", "")
        if len(body) > LARGE:
            return await asyncio.to_thread(_read, response.status, body, what, retry_after, read)
        return _read(response.status, body, what, retry_after, read)


def connect(
    name: str, settings: PrometheusSettings, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock
) -> HttpPrometheus | None:
    """The client, or None where no URL is set."""
    return HttpPrometheus(name, settings, session, metrics, clock) if settings.url else None


def _read(
    status: int, body: bytes, what: str, retry_after: str, read: Callable[[Mapping[str, Any]], Answer[T]]
) -> Answer[T]:
    """The answer, or the error in Prometheus' own words where it has some."""
    try:
        told = from_json(body)
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    said = str(told["error"]) if told.get("status") == "error" else body[:2048].decode("utf-8", "replace")
    if status == 404 and not told:
        raise Permanent(f"{what} answered 404: does prometheus.url have the right path?", Reason.NOT_FOUND)
    if 300 <= status < 400:
        raise Permanent(f"{what} answered {status}, a redirect: set prometheus.url to where it leads", Reason.NOT_FOUND)
    check(status, what, said, retry_after)
    if not isinstance(told.get("data"), dict):
        raise Temporary(f"{what} did not answer as Prometheus does", Reason.BAD_ANSWER)
    try:
        answer = read(told["data"])
    except (KeyError, IndexError, TypeError, ValueError):
        raise Temporary(f"{what} did not answer as Prometheus does", Reason.BAD_ANSWER) from None
    warnings = told.get("warnings") or ()
    return Answer(answer, (str(warning)[:SHOWN_OF_WARNING] for warning in warnings))


def _samples(data: Mapping[str, Any]) -> Answer[Sample]:
    if data.get("resultType") == "scalar":
        return Answer([Sample(labels={}, value=float(data["result"][1]))])
    result = _result(data, "vector")
    _refuse_histograms(result)
    return Answer(Sample(labels=item["metric"], value=float(item["value"][1])) for item in result if "value" in item)


def _series(data: Mapping[str, Any]) -> Answer[Series]:
    result = _result(data, "matrix")
    _refuse_histograms(result)
    return Answer(Series(labels=item["metric"], points=_points(item.get("values", ()))) for item in result)


def _rules(data: Mapping[str, Any]) -> Answer[Mapping[str, Any]]:
    return Answer(rule for group in data["groups"] for rule in group["rules"] if rule.get("type") == "alerting")


def _targets(data: Mapping[str, Any]) -> Answer[Mapping[str, Any]]:
    return Answer(target for target in data["activeTargets"] if isinstance(target, dict))


def _result(data: Mapping[str, Any], wanted: str) -> Sequence[Mapping[str, Any]]:
    if (given := data.get("resultType")) != wanted:
        raise Permanent(f"the query gives a {given}, wanted is a {wanted}", Reason.BAD_REQUEST)
    result: Sequence[Mapping[str, Any]] = data["result"]
    return result


def _refuse_histograms(result: Sequence[Mapping[str, Any]]) -> None:
    """A native histogram is no number; where nothing else is in the answer, say what to ask instead."""
    if result and all("value" not in item and "values" not in item for item in result):
        message = "the query gives histograms, wanted are numbers: ask for histogram_quantile() or histogram_count()"
        raise Permanent(message, Reason.BAD_REQUEST)


def _points(values: Sequence[Sequence[Any]]) -> tuple[tuple[float, float], ...]:
    points = ((float(at), float(value)) for at, value in values)
    return tuple((at, value) for at, value in points if math.isfinite(value))


def _time(at: datetime) -> str:
    return f"{at.timestamp():.3f}"
