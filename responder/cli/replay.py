"""`responder replay`: conclude again from evidence that was kept."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from responder.cli._once import RulesOption, investigating, show
from responder.errors import ConfigError
from responder.model.report import Report
from responder.settings import Settings, load


def replay(
    folder: Annotated[
        Path, typer.Argument(help="What `investigate --save` wrote, or a report of the API `/api/v1/incidents/ID`.")
    ],
    rules: RulesOption = None,
) -> None:
    """Conclude again from the evidence that was kept, with the rules as they are now. Asks no server."""
    reports = _read(folder)
    show(asyncio.run(_again(load(None, rules=tuple(rules or ())), reports)))


async def _again(settings: Settings, reports: Sequence[Report]) -> Sequence[Report]:
    async with investigating(settings) as once:
        return [await once.again(report) for report in reports]


def _read(place: Path) -> Sequence[Report]:
    files = sorted(place.glob("incident-*.json")) if place.is_dir() else [place]
    if not files:
        raise ConfigError(f"{place}: there is no incident-*.json; `responder investigate --save` writes them")
    try:
        return [Report.model_validate_json(file.read_bytes()) for file in files]
    except (OSError, ValidationError) as error:
        raise ConfigError(f"{place}: {error}") from None
