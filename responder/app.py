"""The composition root: settings become objects, and objects an application. Nothing else constructs."""

import asyncio
from collections.abc import AsyncIterator, Container, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import structlog
from aiohttp import web
from sqlalchemy import Connection

import responder.actions
import responder.detectors
import responder.probes
import responder.sinks
from responder import plugins
from responder.actions import Action
from responder.clients import Clients
from responder.clients import alertmanager as alertmanager_client
from responder.clients import kubernetes as kubernetes_client
from responder.clients import loki as loki_client
from responder.clients import postgres as postgres_client
from responder.clients import prometheus as prometheus_client
from responder.clients import redis as redis_client
from responder.clients.http import AioHttp
from responder.clients.network import AsyncNetwork
from responder.clock import Clock, SystemClock
from responder.errors import ConfigError
from responder.flow import stages
from responder.flow.act import Actor
from responder.flow.approve import Approver
from responder.flow.buttons import Addresses
from responder.flow.communicate import Communicator
from responder.flow.diagnose import RULE
from responder.flow.escalate import Escalator
from responder.flow.housekeeping import Housekeeper
from responder.flow.judge import Judge
from responder.flow.onset import Onsets
from responder.flow.openings import Opener
from responder.flow.outlets import Outlets
from responder.flow.procedures import Procedures
from responder.flow.publish import Outbox
from responder.flow.receive import Receiver
from responder.flow.reports import Reports
from responder.flow.respond import Responder
from responder.flow.routing import Routing
from responder.flow.series import begin_series
from responder.flow.verify import Verifier
from responder.flow.watch import INVESTIGATION
from responder.flow.world import World
from responder.intake import webhook
from responder.intake.authentication import Authenticator
from responder.intake.journal import Journal
from responder.intake.payload import parse
from responder.metrics import Metrics, begin
from responder.pictures import Gallery
from responder.plugins import Catalog
from responder.probes import Probe
from responder.queue.embedded import EmbeddedQueue
from responder.runbooks.loading import Rules, shipped_rules
from responder.runbooks.rulebook import Rulebook
from responder.runbooks.variables import Variables
from responder.settings import Cluster, Settings
from responder.signing import Signer
from responder.sinks import Sink
from responder.store import jobs, keys
from responder.store.database import Database
from responder.web import Hands, reached, setup

log = structlog.get_logger(__name__)

OUTSIDE_TIMEOUT = aiohttp.ClientTimeout(total=120, connect=10)
INVESTIGATIONS = 48
"""At most so many at once, so that deliveries and reconciling always find a free worker."""


LANE = 16
"""At most so many jobs at once that depend on one cluster or one sink: one that hangs holds up its own alone."""


@dataclass(frozen=True)
class Outside:
    """What is needed to investigate, without a store: clients, probes, detectors, rules."""

    clusters: Mapping[str, Clients]
    http: AioHttp
    session: aiohttp.ClientSession
    probes: Catalog[Probe]
    detectors: responder.detectors.Detectors
    rules: Rules


@asynccontextmanager
async def outside(settings: Settings, metrics: Metrics, clock: Clock) -> AsyncIterator[Outside]:
    """Clients by cluster, probes, detectors and rules. Raises ConfigError."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=OUTSIDE_TIMEOUT))
        http = AioHttp(session, metrics, clock)
        stack.push_async_callback(http.close)
        network = AsyncNetwork(session, metrics, clock)
        stack.push_async_callback(network.close)
        common = alertmanager_client.connect(settings.alertmanager, session, metrics, clock)
        probes = plugins.load(responder.probes, Probe, "probe", dotted=True)
        detectors = responder.detectors.load()
        begin(metrics.detector_failures, (*detectors.families, RULE, *probes.kinds, INVESTIGATION))
        check_rules(settings)
        rules = Rules([*shipped_rules(), *settings.rules], probes, detectors, metrics, variables_of(settings))
        clusters: dict[str, Clients] = {}
        dialer = redis_client.Dialer(metrics, clock)
        stack.push_async_callback(dialer.close)
        wanted: list[tuple[str, Settings | Cluster]] = [("", settings)]
        wanted += [(cluster.name, cluster) for cluster in settings.clusters]
        for name, given in wanted:
            cluster = kubernetes_client.connect(name, given.kubernetes, metrics, clock)
            numbers = prometheus_client.connect(name, given.prometheus, session, metrics, clock)
            alertmanager = alertmanager_client.connect(given.alertmanager, session, metrics, clock) if name else common
            logs = loki_client.connect(name, given.loki, session, metrics, clock)
            databases = postgres_client.connect(given.postgres, metrics, clock)
            caches = redis_client.connect(given.redis, metrics, clock)
            for client in (cluster, numbers, alertmanager, logs, *databases.values(), *caches.values()):
                if client is not None:
                    stack.push_async_callback(client.close)
            clusters[name] = Clients(
                cluster=name,
                http=http,
                kubernetes_client=cluster,
                prometheus_client=numbers,
                loki_client=logs,
                databases=databases,
                redis_servers=caches,
                redis_dialer=dialer,
                network_client=network,
                alertmanager_client=alertmanager or common,
            )
        yield Outside(clusters, http, session, probes, detectors, rules)


def variables_of(settings: Settings) -> Variables:
    """What runbooks leave open. Names of a cluster's services mean something inside of that one cluster only."""
    return Variables(settings.variables, inside=not settings.clusters and kubernetes_client.inside(settings.kubernetes))


def check_rules(settings: Settings) -> None:
    """Whether the folders of rules are there; raises ConfigError."""
    for place, folder in enumerate(settings.rules):
        if not folder.exists():
            raise ConfigError(f"rules[{place}]: there is no file or folder {str(folder)!r}")


def check_variables(settings: Settings, book: Rulebook) -> None:
    """Whether each variable of the settings is one of a runbook; raises ConfigError."""
    declared = (name for runbook in book.runbooks.values() for name in runbook.variables)
    if unknown := list(variables_of(settings).unknown(declared)):
        raise ConfigError("\n".join(unknown))


def check_escalation(settings: Settings, book: Rulebook, sinks: Container[str]) -> str:
    """Whether the settings name a policy, levels and sinks that there are; raises ConfigError.

    Returns which levels nothing reaches, in words, or nothing.
    """
    name = settings.escalation.policy
    policy = book.escalations.get(name)
    if policy is None:
        raise ConfigError(f"escalation.policy: unknown {name!r}{plugins.did_you_mean(name, list(book.escalations))}")
    for level, names in settings.escalation.contacts.items():
        if level not in policy.levels:
            near = plugins.did_you_mean(level, list(policy.levels))
            raise ConfigError(f"escalation.contacts: the policy {name!r} has no level {level!r}{near}")
        for sink in names:
            if sink not in sinks:
                raise ConfigError(f"escalation.contacts.{level}: there is no sink {sink!r}")
    return policy.unserved(settings.escalation.contacts)


def make_actions(settings: Settings) -> Catalog[Action]:
    """The kinds of actions; raises ConfigError where the settings allow one that there is not."""
    catalog = responder.actions.load()
    for kind in settings.actions.kinds:
        try:
            catalog.find(kind)
        except ConfigError as error:
            raise ConfigError(f"actions.kinds: {error}") from None
    return catalog


def make_sinks(settings: Settings) -> dict[str, Sink]:
    """The configured sinks by name; raises ConfigError."""
    catalog = plugins.load(responder.sinks, Sink, "sink")
    sinks: dict[str, Sink] = {}
    for place, given in enumerate(settings.sinks):
        options = dict(given)
        try:
            sink = catalog.build(str(options.pop("kind", "")), options)
        except ConfigError as error:
            raise ConfigError(f"sinks[{place}]: {error}") from None
        if sink.name in sinks or "/" in sink.name:
            raise ConfigError(f"sinks[{place}]: the name {sink.name!r} is taken, or has a '/'")
        sinks[sink.name] = sink
    return sinks


@asynccontextmanager
async def world(settings: Settings, metrics: Metrics, clock: Clock) -> AsyncIterator[World]:
    """Everything the stages need, opened; closed at the end."""
    sinks = make_sinks(settings)
    async with outside(settings, metrics, clock) as found:
        check_variables(settings, found.rules.current)
        if unserved := check_escalation(settings, found.rules.current, sinks):
            log.warning("escalation.no_contact", note=unserved, settings="escalation.contacts")
        database = Database(settings.database)
        try:
            await database.open()
            signer = Signer(await database.write(keys.signing))
            made = World(
                settings=settings,
                clock=clock,
                metrics=metrics,
                database=database,
                rules=found.rules,
                probes=found.probes,
                actions=make_actions(settings),
                detectors=found.detectors,
                sinks=sinks,
                clusters=found.clusters,
                http=found.http,
                addresses=Addresses(settings.base_url, signer),
                session=found.session,
            )
            begin_series(made)
            yield made
        finally:
            await database.close()


class Service:
    """The running service: an aiohttp application over a world, with its background tasks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._receiver = Receiver(world, lambda body, number, at: parse(body, id=number, received_at=at))
        self._queue = EmbeddedQueue(
            world.database,
            world.clock,
            world.metrics,
            workers=world.settings.workers,
            shares={"investigate": min(INVESTIGATIONS, world.settings.workers)},
            lane=max(1, min(LANE, world.settings.workers // 2)),
        )
        self._housekeeper = Housekeeper(world)
        self._reports = Reports(world)
        self._hands = Hands(
            escalator=Escalator(world),
            procedures=Procedures(world),
            communicator=Communicator(world),
            opener=Opener(world, self._receiver.wake),
            judge=Judge(world),
            approver=(approver := Approver(world)),
            actor=Actor(world, approver),
        )
        gallery = Gallery()
        routing = Routing(world.settings.routes, world.sinks)
        self._outbox = Outbox(world, self._reports, routing, gallery)
        self._outlets = Outlets(world, self._reports, gallery)
        self._journal = Journal(
            world.database,
            world.metrics,
            stored=self._receiver.wake,
            max_pending=world.settings.intake.max_pending,
            keep_rejected=world.settings.intake.keep_rejected,
        )
        self._door = Authenticator(world.settings.auth)

    def application(self) -> web.Application:
        """The web application; its background tasks start and stop with it."""
        app = web.Application()
        intake = webhook.routes(self._journal, self._door, self._world.settings.intake, self._world.metrics)
        app.add_routes(reached(self._world.settings.root, intake))
        setup(
            app,
            incidents=self._reports,
            hands=self._hands,
            outlets=self._outlets,
            world=self._world,
            door=self._door,
        )
        app.cleanup_ctx.append(self._working)
        return app

    async def _working(self, _app: web.Application) -> AsyncIterator[None]:
        now = self._world.clock.now()

        def arm(connection: Connection) -> None:
            for kind in ("reconcile", "tidy"):
                jobs.defer(connection, kind, "", now, now)

        await self._world.database.write(arm)
        handlers = stages(
            self._receiver,
            Responder(self._world),
            self._outbox,
            Verifier(self._world),
            self._housekeeper,
            self._hands.escalator,
            self._hands.communicator,
            self._hands.judge,
            self._hands.actor,
            Onsets(self._world),
        )
        tasks = [
            asyncio.create_task(self._receiver.run(), name="receive"),
            asyncio.create_task(self._queue.run(handlers), name="queue"),
        ]
        watcher = asyncio.create_task(self._housekeeper.watch(), name="gauges")
        yield
        await self._journal.drain()
        self._receiver.drain()
        self._queue.drain()
        watcher.cancel()
        _, late = await asyncio.wait(tasks, timeout=self._world.settings.drain.total_seconds())
        for task in late:
            log.warning("service.cut_off", task=task.get_name(), note="it goes on after the next start")
            task.cancel()
        await asyncio.gather(*tasks, watcher, return_exceptions=True)


@asynccontextmanager
async def serving(settings: Settings, clock: Clock | None = None) -> AsyncIterator[tuple[str, int]]:
    """The service, listening; yields host and port. Raises ConfigError."""
    async with world(settings, Metrics(), clock or SystemClock()) as found:
        runner = web.AppRunner(Service(found).application(), access_log=None, handle_signals=False, shutdown_timeout=5)
        await runner.setup()
        try:
            host, port = settings.address
            site = web.TCPSite(runner, host, port, backlog=1024)
            try:
                await site.start()
            except OSError as error:
                raise ConfigError(f"listen: cannot listen on {settings.listen}: {error.strerror}") from None
            bound = runner.addresses[0]
            yield str(bound[0]), int(bound[1])
        finally:
            await runner.cleanup()
