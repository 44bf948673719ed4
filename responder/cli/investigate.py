"""`responder investigate`: one alert, from the command line, without a service."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from responder.cli._once import RulesOption, investigating, show
from responder.cli.serve import ConfigOption
from responder.errors import ConfigError
from responder.intake.payload import BadPayload, parse
from responder.model.report import Report
from responder.settings import Settings, load

BODY = "webhook.json"


def investigate(
    alert: Annotated[
        Path | None,
        typer.Argument(help="A webhook's body, a list of alerts or one alert, as JSON; - is standard input."),
    ] = None,
    alertname: Annotated[str, typer.Option(help="The name of an alert that is not in a file.")] = "",
    label: Annotated[list[str] | None, typer.Option("--label", "-l", help="A label of it, as NAME=VALUE.")] = None,
    save: Annotated[Path | None, typer.Option(help="A folder to keep alert and evidence in, for `replay`.")] = None,
    config: ConfigOption = None,
    snapshot: Annotated[
        Path | None, typer.Option(help="A folder of `kubectl get -o json` files to ask instead of the cluster.")
    ] = None,
    rules: RulesOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON, one a line.")] = False,
) -> None:
    """Investigate an alert now, and print what is found."""
    body = _body(alert, alertname, label or [])
    settings = load(config)
    changed: dict[str, Any] = {"rules": (*settings.rules, *(rules or ()))}
    if snapshot:
        changed["kubernetes"] = settings.kubernetes.model_copy(update={"snapshot": snapshot})
    reports = asyncio.run(_answer(settings.model_copy(update=changed), body))
    if save:
        _keep(save, body, reports)
    if as_json:
        for report in reports:
            typer.echo(report.model_dump_json())
    else:
        show(reports)


async def _answer(settings: Settings, body: bytes) -> Sequence[Report]:
    try:
        notification = parse(body, id=1, received_at=datetime.now(UTC))
    except BadPayload as error:
        raise ConfigError(f"the alert cannot be used: {error}") from None
    async with investigating(settings) as once:
        return await once.answer(notification)


def _body(file: Path | None, alertname: str, labels: Sequence[str]) -> bytes:
    if bool(file) == bool(alertname or labels):
        raise ConfigError("name a file with the alert, or give --alertname and --label")
    if file:
        try:
            content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
            return json.dumps(_as_webhook(json.loads(content))).encode()
        except (OSError, ValueError) as error:
            raise ConfigError(f"{file}: {error}") from None
    pairs = dict(text.partition("=")[::2] for text in labels)
    if "" in pairs or not all("=" in text for text in labels):
        raise ConfigError("write a label as NAME=VALUE")
    named = {"alertname": alertname} if alertname else {}
    return json.dumps({"alerts": [{"status": "firing", "labels": named | pairs}]}).encode()


def _as_webhook(given: Any) -> Any:
    """A webhook's body as it is; of a single alert or a list of them, as `amtool alert -o json` prints it, one."""
    if isinstance(given, list):
        return {"alerts": [_as_told(alert) for alert in given]}
    if isinstance(given, Mapping) and "alerts" not in given and "labels" in given:
        return {"alerts": [_as_told(given)]}
    return given


def _as_told(alert: Any) -> Any:
    """An alert of Alertmanager's API has its state in an object where the webhook has a word."""
    if isinstance(alert, Mapping) and isinstance(alert.get("status"), Mapping):
        return {**alert, "status": "firing"}
    return alert


def _keep(folder: Path, body: bytes, reports: Sequence[Report]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BODY).write_bytes(body)
        for number, report in enumerate(reports, start=1):
            (folder / f"incident-{number}.json").write_text(report.model_dump_json(indent=1), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--save: {error}") from None
