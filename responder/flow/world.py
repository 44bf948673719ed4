"""Everything a stage may use, made once by the composition root."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from responder.actions import Action
from responder.clients import Alertmanager, Clients, Http, of_cluster
from responder.clock import Clock
from responder.detectors import Detectors
from responder.flow.buttons import Addresses
from responder.metrics import Metrics
from responder.model.runbook import Runbook
from responder.plugins import Catalog
from responder.probes import Probe
from responder.runbooks.loading import Rules
from responder.settings import Settings
from responder.sinks import Sink
from responder.store.database import Database


@dataclass(frozen=True)
class World:
    """The collaborators of the stages. `clusters` by name; the one named "" serves whoever names none."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    database: Database
    rules: Rules
    probes: Catalog[Probe]
    actions: Catalog[Action]
    detectors: Detectors
    sinks: Mapping[str, Sink]
    clusters: Mapping[str, Clients]
    http: Http
    addresses: Addresses
    session: aiohttp.ClientSession

    def clients(self, cluster: str) -> Clients:
        """The clients of a cluster; of one that is not configured every question says so."""
        return of_cluster(self.clusters, cluster, self.http)

    def alertmanager(self, cluster: str) -> Alertmanager | None:
        """The Alertmanager that sends a cluster's alerts: its own, else the common one."""
        return self.clusters.get(cluster, self.clusters[""]).alertmanager_client

    @property
    def alertmanagers(self) -> Mapping[str, Alertmanager]:
        """Every Alertmanager once, by the first cluster that it serves."""
        found: dict[str, Alertmanager] = {}
        for cluster, clients in self.clusters.items():
            if clients.alertmanager_client is not None and clients.alertmanager_client not in found.values():
                found[cluster] = clients.alertmanager_client
        return found

    def runbook(self, name: str) -> Runbook:
        """The runbook of that name, or the default one if it is gone since."""
        return self.rules.current.get(name)
