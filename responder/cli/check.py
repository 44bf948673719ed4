"""`responder check`: are the runbooks, their tests and the settings right?"""

import json
from collections.abc import Callable, Container, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

import responder.detectors
import responder.probes
from responder import plugins
from responder.app import check_escalation, check_rules, check_variables, make_actions, make_sinks, variables_of
from responder.cli.serve import ConfigOption
from responder.documents import Problems
from responder.errors import ConfigError
from responder.flow.routing import Routing
from responder.model.communication import StatusTemplates
from responder.model.escalation import EscalationPolicy
from responder.model.runbook import Runbook
from responder.model.runbook_test import RunbookTest
from responder.probes import Probe
from responder.runbooks.loading import NONE_GIVEN, load, load_tests, shipped
from responder.runbooks.rulebook import Rulebook
from responder.settings import Settings
from responder.settings import load as load_settings
from responder.sinks import Sink

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
            folders += [folder for folder in settings.rules if folder.exists()]
            given = variables_of(settings)
            rulebook = partial(load, [shipped(), *settings.rules], probes, detectors, given)
            trouble += _of_settings(config, settings, rulebook)
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
    if find_spec("promql_parser") is None:
        typer.echo("note: PromQL was not checked: pip install 'responder[promql]'", err=True)
    typer.echo(f"{runbooks} runbooks and {tests} tests of runbooks are right")


def _of_settings(config: Path, settings: Settings, rulebook: Callable[[], Rulebook]) -> Iterator[str]:
    """What is wrong between the settings, the rules and what they name, one line each."""
    sinks: dict[str, Sink] = {}
    checks: list[Callable[[], object]] = [
        lambda: sinks.update(make_sinks(settings)),
        lambda: make_actions(settings),
        lambda: Routing(settings.routes, sinks),
    ]
    try:
        check_rules(settings)
        book = rulebook()
    except Problems as error:
        yield from map(str, error.problems)
    except ConfigError as error:
        yield f"{config}: {error}"
    else:
        checks += [lambda: check_variables(settings, book), lambda: _escalation(settings, book, sinks)]
    for ask in checks:
        try:
            ask()
        except ConfigError as error:
            # what names a sink says nothing new where the sinks could not be made
            yield from (f"{config}: {line}" for line in str(error).splitlines())
            if len(sinks) < len(settings.sinks):
                return


def _escalation(settings: Settings, book: Rulebook, sinks: Container[str]) -> None:
    """Whether it is right; that nobody is notified at a level is worth a warning."""
    if unserved := check_escalation(settings, book, sinks):
        typer.echo(f"warning: escalation.contacts: {unserved}", err=True)
