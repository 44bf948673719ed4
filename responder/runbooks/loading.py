"""Reads the runbooks of some folders into a rulebook, and keeps the one that is in use."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import structlog
from pydantic import ValidationError

from responder import actions, packaged
from responder.detectors import Detectors
from responder.documents import Document, Problem, Problems, read
from responder.metrics import SEVERITIES, Metrics, begin
from responder.model.communication import StatusTemplates
from responder.model.escalation import EscalationPolicy
from responder.model.finding import Confidence
from responder.model.record import Record
from responder.model.runbook import Runbook
from responder.model.runbook_test import RunbookTest
from responder.plugins import Catalog, did_you_mean
from responder.probes import Probe
from responder.runbooks.checking import Checker, Found, check_escalation, check_templates
from responder.runbooks.rulebook import Rulebook
from responder.runbooks.variables import Variables

log = structlog.get_logger(__name__)

SUFFIXES = (".yaml", ".yml")
KINDS = ["Runbook", "RunbookTest", "EscalationPolicy", "StatusTemplates", "Signatures", "Causes"]

R = TypeVar("R", bound=Record)
N = TypeVar("N", Runbook, EscalationPolicy, StatusTemplates)
NONE_GIVEN = Variables()


def shipped() -> Path:
    """The folder of rules that ships: in the installed package, else at the top of the checkout."""
    return packaged.rules()


def shipped_rules() -> list[Path]:
    """The parts of it that a service needs: its tests and Prometheus' rules are not read at every start."""
    return [shipped() / part for part in ("runbooks", "escalation", "templates")]


def load(
    folders: Sequence[Path], probes: Catalog[Probe], detectors: Detectors, variables: Variables = NONE_GIVEN
) -> Rulebook:
    """The rules of the folders (or single files); of two of a kind with one name the later folder's counts.

    Raises Problems with everything that is wrong.
    """
    problems: list[Problem] = []
    read_once = [_documents(folder, problems) for folder in folders]
    templates = _named(read_once, StatusTemplates, check_templates, problems)
    known = {*templates, *_shipped_templates(folders)}
    checker = Checker(probes, detectors, actions.load(), tuple(sorted(known)))
    runbooks = _named(read_once, Runbook, checker.check, problems, variables)
    escalations = _named(read_once, EscalationPolicy, check_escalation, problems)
    if problems:
        raise Problems(problems)
    return Rulebook(runbooks.values(), escalations.values(), templates.values())


def _named(
    folders: Sequence[Sequence[Document]],
    model: type[N],
    check: Callable[[N], Found],
    problems: list[Problem],
    variables: Variables = NONE_GIVEN,
) -> dict[str, N]:
    """The documents of a kind by name, with their variables filled in, checked; of each folder its documents."""
    found: dict[str, N] = {}
    for documents in folders:
        here: dict[str, Document] = {}
        for written in _of_kind(documents, model.__name__):
            document, wrong = variables.fill(written)
            problems += wrong
            item = _validated(document, model, problems)
            if item is None:
                continue
            if item.name in here:
                other = here[item.name].file
                problems.append(document.problem(("metadata", "name"), f"{other} has the name {item.name!r} too"))
            here[item.name] = document
            problems += [document.problem(path, message) for path, message in check(item)]
            found[item.name] = item
    return found


def _shipped_templates(folders: Sequence[Path]) -> set[str]:
    """What a runbook may name although its own folder does not have it."""
    own = shipped() / "templates"
    if own in folders or shipped() in folders or not own.is_dir():
        return set()
    return set(_named([_documents(own, [])], StatusTemplates, lambda _: iter(()), []))


class Rules:
    """The rulebook in use. A reload that finds problems keeps the old one and says what is wrong."""

    def __init__(
        self,
        folders: Sequence[Path],
        probes: Catalog[Probe],
        detectors: Detectors,
        metrics: Metrics,
        variables: Variables = NONE_GIVEN,
    ) -> None:
        self._folders = tuple(folders)
        self._probes = probes
        self._detectors = detectors
        self._metrics = metrics
        self._variables = variables
        self.current = load(self._folders, probes, detectors, variables)
        self.problems: tuple[Problem, ...] = ()
        self._count(True)

    async def reload(self) -> tuple[Problem, ...]:
        """Read the files again; returns the problems, none if the new rules are in use."""
        try:
            self.current = await asyncio.to_thread(load, self._folders, self._probes, self._detectors, self._variables)
            self.problems = ()
        except Problems as error:
            self.problems = error.problems
            log.error("rules.kept_old_ones", problems=[str(problem) for problem in error.problems])
        self._count(not self.problems)
        return self.problems

    def _count(self, newest: bool) -> None:
        self._metrics.rules_loaded.set(1 if newest else 0)
        self._metrics.runbooks.set(len(self.current.runbooks))
        runbooks = self.current.runbooks
        begin(self._metrics.incidents_opened, runbooks, SEVERITIES)
        begin(self._metrics.incidents_resolved, runbooks, SEVERITIES)
        own = {cause.slug for runbook in runbooks.values() for cause in runbook.causes}
        begin(self._metrics.findings, {*self._detectors.causes, *own}, Confidence)


def load_tests(folders: Sequence[Path]) -> Sequence[tuple[RunbookTest, Path]]:
    """The tests of runbooks in the folders (or single files), with their files. Raises Problems."""
    problems: list[Problem] = []
    found: list[tuple[RunbookTest, Path]] = []
    for folder in folders:
        for document in _of_kind(_documents(folder, problems), "RunbookTest"):
            test = _validated(document, RunbookTest, problems)
            if test is not None:
                found.append((test, document.file))
    if problems:
        raise Problems(problems)
    return found


def _documents(folder: Path, problems: list[Problem]) -> list[Document]:
    """Every document of ours in a folder."""
    if not folder.exists():
        problems.append(Problem(folder, 1, "", "there is no such file or folder"))
        return []
    files = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES)
    found: list[Document] = []
    for file in files:
        try:
            found += [document for document in read(file) if _is_ours(document, problems)]
        except Problems as error:
            problems += error.problems
    return found


def _is_ours(document: Document, problems: list[Problem]) -> bool:
    if not isinstance(document.data, dict):
        return False
    kind, version = str(document.data.get("kind", "")), str(document.data.get("apiVersion", ""))
    if version.startswith("responder/"):
        if kind not in KINDS:
            problems.append(document.problem(("kind",), f"unknown kind {kind!r}{did_you_mean(kind, KINDS)}"))
        return kind in KINDS
    if kind in KINDS:
        problems.append(document.problem(("apiVersion",), f"is {version!r}, wanted is 'responder/v1'"))
    return False


def _of_kind(documents: Sequence[Document], kind: str) -> Iterator[Document]:
    return (document for document in documents if document.data["kind"] == kind)


def _validated(document: Document, model: type[R], problems: list[Problem]) -> R | None:
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            path, message = item["loc"], item["msg"].removeprefix("Value error, ")
            if item["type"] == "extra_forbidden":
                message = f"unknown key {str(path[-1])!r}"
            problems.append(document.problem(path, message))
        return None
