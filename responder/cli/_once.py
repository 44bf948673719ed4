"""What the commands that investigate without a service share: the settings, the rules, and the printing."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from responder import log
from responder.app import outside
from responder.clients import of_cluster
from responder.clock import SystemClock
from responder.flow.message import compose
from responder.flow.once import Once
from responder.metrics import Metrics
from responder.model.report import Report
from responder.settings import Settings
from responder.sinks.log import write

RulesOption = Annotated[
    list[Path] | None, typer.Option("--rules", help="A folder of runbooks, after those that are shipped.")
]


@asynccontextmanager
async def investigating(settings: Settings) -> AsyncIterator[Once]:
    """Everything that an investigation needs, as the settings say. Raises ConfigError."""
    log.configure("error", "console")
    metrics, clock = Metrics(), SystemClock()
    async with outside(settings, metrics, clock) as found:
        yield Once(
            rulebook=found.rules.current,
            probes=found.probes,
            detectors=found.detectors,
            clients=lambda cluster: of_cluster(found.clusters, cluster, found.http),
            clock=clock,
            metrics=metrics,
            severities=settings.incidents.severities,
            cluster_labels=settings.cluster_labels,
        )


def show(reports: Sequence[Report]) -> None:
    """Print each finding as the sink `log` does."""
    for report in reports:
        write(sys.stdout, compose(report))
