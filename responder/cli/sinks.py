"""`responder sinks`: the configured sinks, a sample to each, and how findings look there. Works beside the service."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Annotated

import typer

from responder import log
from responder.cli.serve import ConfigOption
from responder.clients import of_cluster
from responder.clock import SystemClock
from responder.errors import ConfigError, Trouble
from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.metrics import Metrics
from responder.model.message import Message, Stage
from responder.pictures import Gallery
from responder.plugins import did_you_mean
from responder.settings import Settings, load
from responder.signing import Signer
from responder.sinks import Medium, Sink

TIMEOUT = 60.0

ActionArgument = Annotated[str, typer.Argument(help="`list`, `test` or `preview`.")]
NameArgument = Annotated[str, typer.Argument(help="The name of the sink, for test and preview.")]


def sinks(action: ActionArgument = "list", name: NameArgument = "", config: ConfigOption = None) -> None:
    """List the sinks; `test NAME` sends a sample incident through its stages, `preview NAME` only prints it."""
    from responder.app import make_sinks

    settings = load(config)
    log.configure(settings.log_level, settings.log_format)
    known = make_sinks(settings)
    if action not in ("list", "test", "preview"):
        raise typer.BadParameter(f"{action!r} is none of list, test, preview", param_hint="ACTION")
    if action == "list":
        for sink in known.values():
            typer.echo(f"{sink.name} ({sink.kind})")
        return
    if name not in known:
        raise ConfigError(f"there is no sink {name!r}{did_you_mean(name, known)}")
    clock = SystemClock()
    addresses = Addresses(settings.base_url, Signer(secrets.token_urlsafe()))
    messages = stages(clock.now(), addresses, f"sample-{int(clock.now().timestamp())}")
    if action == "preview":
        for stage, message in messages.items():
            typer.echo(f"--- {stage}\n{known[name].preview(message).payload}")
        return
    try:
        asyncio.run(_test(settings, known[name], messages))
    except Trouble as trouble:
        raise ConfigError(f"{name}: {trouble}") from None


async def _test(settings: Settings, sink: Sink, messages: Mapping[Stage, Message]) -> None:
    """First word, finding and end, one after the other; a medium that cannot edit gets finding and end."""
    from responder.app import outside

    clock, gallery, receipt = SystemClock(), Gallery(), ""

    async def keep(_receipt: str) -> None:
        """A test that breaks off is not gone on with."""

    async with outside(settings, Metrics(), clock) as found:
        for stage, message in messages.items():
            if stage == "announced" and not sink.edits:
                continue
            medium = Medium(
                http=found.session,
                now=clock.now(),
                doubtful=False,
                keep=keep,
                draw=gallery.draw,
                cluster=lambda _message: of_cluster(found.clusters, "", found.http),
            )
            async with asyncio.timeout(TIMEOUT):
                receipt = await sink.deliver(message, receipt, medium)
            typer.echo(f"{stage}: delivered")
