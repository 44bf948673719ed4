"""`responder coverage`: which alert rules have a runbook, which have none, and which runbooks no rule triggers."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import TypeAdapter, ValidationError

from responder.cli._once import investigating
from responder.cli.serve import ConfigOption
from responder.errors import ConfigError
from responder.runbooks.matchers import Matcher, parse
from responder.runbooks.rulebook import LAST_RESORT, Rulebook, to_match
from responder.settings import PrometheusSettings, Settings, load

SOMEWHERE = {"namespace": "some-namespace"}
"""What the series of nearly every rule bring, and the rule does not say."""


@dataclass(frozen=True)
class AlertRule:
    """An alert rule: its name, the labels that every alert of it has, and where it was read."""

    alert: str
    labels: Mapping[str, str]
    source: str


@dataclass(frozen=True)
class Conditional:
    """A runbook that answers alerts of a rule only where labels that the series bring are so."""

    runbook: str
    where: str


@dataclass(frozen=True)
class Answer:
    """Who answers a rule's alerts: a runbook (empty: the default triage), and others under a condition."""

    rule: AlertRule
    runbook: str
    only_where: Sequence[Conditional] = ()


@dataclass(frozen=True)
class Coverage:
    """How far a set of runbooks answers a set of rules. `unused` are runbooks that no rule can trigger."""

    total: int
    answered: int
    percent: float
    rules: Sequence[Answer] = field(default_factory=tuple)
    unused: Sequence[str] = ()


def coverage(
    prometheus: Annotated[str, typer.Option(help="The address of a Prometheus whose rules are looked at.")] = "",
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="A rule file of Prometheus, or a PrometheusRule; repeatable.")
    ] = None,
    runbooks: Annotated[
        list[Path] | None, typer.Option("--runbooks", help="A folder of runbooks, after those that are shipped.")
    ] = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
    fail_under: Annotated[
        float, typer.Option(help="Exit with 1 if fewer percent of the rules have a runbook.", min=0, max=100)
    ] = 0,
) -> None:
    """List the alert rules of a Prometheus (or of files) with the runbook that answers each."""
    settings = load(config)
    changed: dict[str, Any] = {"rules": (*settings.rules, *(runbooks or ()))}
    if prometheus:
        changed["prometheus"] = _at(prometheus, settings.prometheus)
    found = asyncio.run(_found(settings.model_copy(update=changed), rules or []))
    if as_json:
        typer.echo(TypeAdapter(Coverage).dump_json(found, indent=2).decode())
    else:
        for line in _lines(found):
            typer.echo(line)
    if found.percent < fail_under:
        raise typer.Exit(1)


def _at(url: str, known: PrometheusSettings) -> PrometheusSettings:
    """The Prometheus at the address, asked with what the settings say of credentials and limits."""
    try:
        return PrometheusSettings.model_validate({**known.model_dump(), "url": url})
    except ValidationError as error:
        raise ConfigError(f"--prometheus: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


async def _found(settings: Settings, files: Sequence[Path]) -> Coverage:
    async with investigating(settings) as once:
        wanted = [rule for file in files for rule in read_rules(file)]
        if not files:
            prometheus = once.clients("").prometheus
            wanted = [
                AlertRule(str(rule["name"]), _static(rule.get("labels")), prometheus.url)
                for rule in await prometheus.rules()
            ]
        if not wanted:
            raise ConfigError("there are no alert rules to look at")
        return cover(wanted, once.rulebook)


def cover(rules: Sequence[AlertRule], book: Rulebook) -> Coverage:
    """Match every rule, by its name and the labels that it sets, as alerts of it will be."""
    answers = [_answer(rule, book) for rule in rules]
    used = {answer.runbook for answer in answers} | {item.runbook for each in answers for item in each.only_where}
    answered = sum(bool(answer.runbook) for answer in answers)
    return Coverage(
        total=len(rules),
        answered=answered,
        percent=round(100 * answered / len(rules), 1) if rules else 100.0,
        rules=answers,
        unused=sorted(book.runbooks.keys() - used - {book.default.name}),
    )


def _answer(rule: AlertRule, book: Rulebook) -> Answer:
    known = to_match({**rule.labels, "alertname": rule.alert})
    labels = {**SOMEWHERE, **known}
    best = book.match(labels).name
    others: list[Conditional] = []
    for runbook in book.runbooks.values():
        for matchers in map(parse, runbook.match):
            open_ones = [item for item in matchers.matchers if _depends(item, known, labels)]
            rest = [item for item in matchers.matchers if item not in open_ones]
            if open_ones and rest and all(item.matches(labels) for item in rest):
                others.append(Conditional(runbook.name, ", ".join(map(str, open_ones))))
    default = best in (book.default.name, LAST_RESORT.name)
    return Answer(rule, "" if default else best, tuple(dict.fromkeys(others)))


def _depends(matcher: Matcher, known: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether it asks for a label that only the series bring, and for a value that they may not have."""
    return matcher.name not in known and not matcher.matches(labels)


def read_rules(file: Path) -> Iterator[AlertRule]:
    """The alert rules of a rule file or of PrometheusRule objects; raises ConfigError."""
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: {error}") from None
    for document in documents:
        holder = document.get("spec", document) if isinstance(document, Mapping) else None
        groups = holder.get("groups") if isinstance(holder, Mapping) else None
        if not isinstance(groups, list):
            raise ConfigError(f"{file}: no rule file: wanted are groups, or a PrometheusRule")
        for group in groups:
            for rule in (group.get("rules") if isinstance(group, Mapping) else None) or ():
                if isinstance(rule, Mapping) and rule.get("alert"):
                    yield AlertRule(str(rule["alert"]), _static(rule.get("labels")), str(file))


def _static(labels: Mapping[str, Any] | None) -> Mapping[str, str]:
    """The labels that are the same for every alert of a rule: those without a template."""
    return {name: str(value) for name, value in (labels or {}).items() if "{{" not in str(value)}


def _lines(found: Coverage) -> Iterator[str]:
    yield f"{found.answered} of {found.total} alert rules have a runbook ({found.percent:g} %)"
    bare = [answer for answer in found.rules if not answer.runbook]
    if bare:
        yield "\nWithout a runbook; the default triage answers:"
        yield from dict.fromkeys(f"  {answer.rule.alert}{_conditions(answer)}" for answer in bare)
    answered = [answer for answer in found.rules if answer.runbook]
    if answered:
        yield "\nAnswered:"
        width = max(len(answer.rule.alert) for answer in answered)
        lines = (
            f"  {answer.rule.alert:{width}}  {answer.runbook}{_conditions(answer)}"
            for answer in sorted(answered, key=lambda answer: answer.rule.alert)
        )
        yield from dict.fromkeys(lines)
    if found.unused:
        yield "\nRunbooks that none of these rules triggers:"
        yield from (f"  {name}" for name in found.unused)


def _conditions(answer: Answer) -> str:
    return "".join(f"; {other.runbook} where {other.where}" for other in answer.only_where)
