"""`responder serve`: the service."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import structlog
import typer

from responder import __version__, log
from responder.settings import Settings, load

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="The YAML file with the settings.")]


def serve(config: ConfigOption = None) -> None:
    """Listen for Alertmanager's webhooks and answer them, until SIGTERM or Ctrl-C."""
    settings = load(config)
    log.configure(settings.log_level, settings.log_format)
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(settings))
    else:
        uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from responder.app import serving

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with serving(settings) as (host, port):
        shown = f"[{host}]" if ":" in host else host
        structlog.get_logger(__name__).info("responder.ready", version=__version__, listen=f"{shown}:{port}")
        typer.echo(f"responder {__version__} is ready on http://{shown}:{port}")
        await ended.wait()
        typer.echo("responder is ending: finishing what is under way")
