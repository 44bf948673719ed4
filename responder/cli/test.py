"""`responder test`: tests of runbooks, in the manner of promtool's tests of rules."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import typer

from responder.cli._once import RulesOption, investigating
from responder.cli.check import PathsArgument
from responder.errors import ConfigError
from responder.flow.rehearse import rehearse
from responder.model.runbook_test import RunbookTest
from responder.runbooks.loading import load_tests, shipped
from responder.settings import Settings, load


def test(paths: PathsArgument = None, rules: RulesOption = None) -> None:  # noqa: PT028 - a command, no test
    """Run tests of runbooks: given these alerts and this recorded evidence, are these the findings?"""
    tests = load_tests(paths or [shipped()])
    if not tests:
        raise ConfigError(f"there are no tests of runbooks in {', '.join(map(str, paths or [shipped()]))}")
    failed = asyncio.run(_run(load(None, rules=tuple(rules or ())), tests))
    typer.echo(f"\n{len(tests) - failed} of {len(tests)} passed")
    if failed:
        raise typer.Exit(1)


async def _run(settings: Settings, tests: Sequence[tuple[RunbookTest, Path]]) -> int:
    """How many failed."""
    failed = 0
    async with investigating(settings) as once:
        for given, file in tests:
            try:
                wrong = await rehearse(given, file.parent, once)
            except ConfigError as error:
                wrong = [str(error)]
            failed += bool(wrong)
            typer.echo(f"{'FAILED' if wrong else 'passed'}  {given.metadata.name}: {given.metadata.title}")
            for line in wrong:
                typer.echo(f"        {file}: {line}")
    return failed
