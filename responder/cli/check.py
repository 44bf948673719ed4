"""`responder check`: are the runbooks, their tests and the settings right?"""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

import responder.detectors
import responder.probes
from responder import plugins
from responder.app import check_escalation, check_variables, make_actions, make_sinks, variables_of
from responder.cli.serve import ConfigOption
from responder.errors import ConfigError
from responder.model.communication import StatusTemplates
from responder.model.escalation import EscalationPolicy
from responder.model.runbook import Runbook
from responder.model.runbook_test import RunbookTest
from responder.probes import Probe
from responder.runbooks.documents import Problems
from responder.runbooks.loading import NONE_GIVEN, load, load_tests, shipped
from responder.settings import load as load_settings

PathsArgument = Annotated[list[Path] | None, typer.Argument(help="Files or folders; those that are shipped if none.")]


def check(
    paths: PathsArgument = None,
    config: ConfigOption = None,
    schema: Annotated[str, typer.Option(help="Print the JSON Schema of a kind (as `Runbook`) instead.")] = "",
) -> None:
    """Check runbooks, their tests, and with --config the settings: file, line, and what was probably meant."""
    if schema:
        kinds: tuple[type[BaseModel], ...] = (Runbook, RunbookTest, EscalationPolicy, StatusTemplates)
        models = {model.__name__: model for model in kinds}
        if schema not in models:
            raise typer.BadParameter(f"{schema!r} has no schema: there is {', '.join(models)}", param_hint="--schema")
        typer.echo(json.dumps(models[schema].model_json_schema(), indent=2))
        return
    trouble: list[str] = []
    folders = list(paths or [])
    given = NONE_GIVEN
    probes = plugins.load(responder.probes, Probe, "probe", dotted=True)
    detectors = responder.detectors.load()
    if config is not None:
        try:
            settings = load_settings(config)
            make_actions(settings)
            folders += settings.rules
            given = variables_of(settings)
            book = load([shipped(), *settings.rules], probes, detectors, given)
            check_variables(settings, book)
            if unserved := check_escalation(settings, book, make_sinks(settings)):
                typer.echo(f"warning: escalation.contacts: {unserved}", err=True)
        except ConfigError as error:
            trouble += str(error).splitlines()
    folders = folders or [shipped()]
    runbooks = tests = 0
    try:
        runbooks = len(load(folders, probes, detectors, given).runbooks)
    except Problems as error:
        trouble += map(str, error.problems)
    try:
        tests = len(load_tests(folders))
    except Problems as error:
        trouble += map(str, error.problems)
    for line in dict.fromkeys(trouble):
        typer.echo(line, err=True)
    if trouble:
        raise typer.Exit(1)
    typer.echo(f"{runbooks} runbooks and {tests} tests of runbooks are right")
