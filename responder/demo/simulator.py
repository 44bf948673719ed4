"""KubeChat's metrics, as its services and the exporters around it would export them, failing on command.

One path an exporter, as Prometheus would scrape them: `/api-gateway`, `/nlp-service`, `/audit-service`,
`/postgres-exporter`, `/redis-exporter`, `/kube-state-metrics`, `/cadvisor`. `POST /fault/NAME` breaks
KubeChat, `POST /heal` mends it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from responder.demo import kube_metrics
from responder.demo.behaviour import BUCKETS, FAULTS, HEALTHY, Totals
from responder.demo.clusters import Recording, State

NAMESPACE = "kubechat-system"
MAX_CONNECTIONS = 100
IDLE = 0.85  # of the connections of a pool
PAST = 7200.0  # seconds that KubeChat has run before anybody looks
Change = Callable[[State], Awaitable[None]]


class Exporter(Collector):
    """Metric families made anew for every scrape."""

    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks for."""
        return self._families()

    def describe(self) -> Iterator[Metric]:
        """Nothing: names are known only when asked."""
        return iter(())


class Simulator:
    """KubeChat around one fault. `changed` is told when its state changes."""

    def __init__(self, recording: Recording, changed: Change) -> None:
        self.state: State = "healthy"
        self.mended = asyncio.Event()
        self._recording, self._changed = recording, changed
        self._totals = Totals()
        self._usage = kube_metrics.Usage()
        self._turned = self._scraped = time.monotonic()
        self._objects = self._read()
        self._totals.advance(PAST)

    def application(self) -> web.Application:
        """The exporters and the two commands."""
        application = web.Application()
        for name, families in self._exporters().items():
            registry = CollectorRegistry(auto_describe=False)
            registry.register(Exporter(families))
            application.router.add_get(f"/{name}", _page(registry, self._advance))
        application.router.add_post("/fault/{name}", self._break)
        application.router.add_post("/heal", self._heal)
        return application

    async def turn(self, state: State, fault: str = "") -> None:
        """Become healthy, faulty or healed."""
        self._advance()
        self.state, self._turned = state, time.monotonic()
        self._totals.behaviour = FAULTS[fault] if state == "faulty" else HEALTHY
        self._objects = self._read()
        await self._changed(state)
        if state == "healed":
            self.mended.set()

    async def _break(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in FAULTS:
            raise web.HTTPNotFound(text=f"no fault {name!r}: there is {', '.join(FAULTS)}\n")
        await self.turn("faulty", name)
        return web.Response(text=f"{name}\n")

    async def _heal(self, request: web.Request) -> web.Response:
        await self.turn("healed")
        return web.Response(text="healed\n")

    def _read(self) -> Mapping[str, Any]:
        kinds = ("pods", "deployments", "statefulsets", "horizontalpodautoscalers", "podmetrics", "nodes")
        return {kind: self._recording.objects(self.state, kind) for kind in kinds}

    def _advance(self) -> None:
        now = time.monotonic()
        seconds, self._scraped = now - self._scraped, now
        self._totals.advance(seconds)
        self._usage.advance(seconds, self._objects, self._totals.behaviour)

    def _exporters(self) -> Mapping[str, Callable[[], Iterator[Metric]]]:
        return {
            "api-gateway": self._gateway,
            "nlp-service": self._nlp,
            "audit-service": self._audit,
            "postgres-exporter": self._postgres,
            "redis-exporter": self._redis,
            "kube-state-metrics": lambda: kube_metrics.state(
                self._objects, self._totals.behaviour, time.monotonic() - self._turned
            ),
            "cadvisor": lambda: self._usage.families(self._objects),
        }

    def _gateway(self) -> Iterator[Metric]:
        counts = self._totals.counts
        failed = counts["http_failed"]
        yield _counter("http_requests", "Requests.", "status", {"200": counts["http"] - failed, "500": failed})
        yield _histogram("http_request_duration_seconds", "Time to answer.", self._totals, "http")
        lost = counts["handshakes_failed"]
        won = counts["handshakes"] - lost
        yield _counter("websocket_connections", "WebSocket handshakes.", "result", {"success": won, "failure": lost})
        sessions = self._totals.wavering(self._totals.behaviour.sessions)
        yield _gauge("websocket_sessions", "Open sessions.", round(sessions))

    def _nlp(self) -> Iterator[Metric]:
        yield _histogram("nlp_processing_duration_seconds", "Time to translate.", self._totals, "nlp")
        yield _counter("nlp_requests", "Translations.", "result", {"success": self._totals.counts["nlp"], "failure": 0})
        yield _gauge("nlp_request_queue_depth", "Requests that wait.", self._totals.behaviour.queue)

    def _audit(self) -> Iterator[Metric]:
        yield _counter("audit_events_ingested", "Events stored.", "result", {"success": self._totals.counts["audited"]})

    def _postgres(self) -> Iterator[Metric]:
        held = self._totals.behaviour.connections
        place = ["namespace", "server", "datname"]
        database = [NAMESPACE, "postgres-service:5432", "kubechat"]
        yield _gauge("pg_up", "Whether PostgreSQL answers.", 1)
        limit = GaugeMetricFamily("pg_settings_max_connections", "The limit.", labels=place[:2])
        limit.add_metric(database[:2], MAX_CONNECTIONS)
        kept = GaugeMetricFamily("pg_settings_superuser_reserved_connections", "For superusers.", labels=place[:2])
        kept.add_metric(database[:2], 3)
        reserved = GaugeMetricFamily("pg_settings_reserved_connections", "For their role.", labels=place[:2])
        reserved.add_metric(database[:2], 0)
        size = GaugeMetricFamily("pg_database_size_bytes", "Size.", labels=place)
        size.add_metric(database, 6.8 * 2**30)
        used = GaugeMetricFamily("pg_stat_activity_count", "Connections.", labels=[*place, "state", "application_name"])
        longest = GaugeMetricFamily("pg_stat_activity_max_tx_duration", "Seconds.", labels=[*place, "state"])
        longest.add_metric([*database, "active"], self._totals.wavering(0.4))
        longest.add_metric([*database, "idle"], 0)
        for name, count in held.items():
            idle = round(count * IDLE)
            used.add_metric([*database, "idle", name], idle)
            used.add_metric([*database, "active", name], count - idle)
        yield from (limit, kept, reserved, size, used, longest)

    def _redis(self) -> Iterator[Metric]:
        yield _gauge("redis_up", "Whether Redis answers.", int(self._totals.behaviour.redis))


def _page(registry: CollectorRegistry, advance: Callable[[], None]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        advance()
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return answer


def _gauge(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["namespace"])
    family.add_metric([NAMESPACE], value)
    return family


def _counter(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=["namespace", label])
    for key, value in values.items():
        family.add_metric([NAMESPACE, key], int(value))
    return family


def _histogram(name: str, text: str, totals: Totals, key: str) -> Metric:
    family = HistogramMetricFamily(name, text, labels=["namespace"])
    buckets = [(str(bound), int(count)) for bound, count in zip(BUCKETS, totals.within[key], strict=True)]
    family.add_metric([NAMESPACE], [*buckets, ("+Inf", int(totals.counts[key]))], totals.seconds[key])
    return family
