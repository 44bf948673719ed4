"""`responder doctor`: does everything that the settings name answer, and may we ask what the runbooks want?"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import typer

from responder import log
from responder.cli.rbac import rights_needed
from responder.cli.serve import ConfigOption
from responder.clients import Kubernetes
from responder.clients.reachability import Answered, Ask, questions
from responder.clock import Clock, SystemClock
from responder.errors import Reason, Trouble
from responder.metrics import Metrics
from responder.probes import Permission
from responder.runbooks.rights import Rights
from responder.settings import Settings, load

TIMEOUT = 10.0
SKEW = 5.0
"""Seconds that a clock may be off before charts and alerts no longer fit each other."""
NAMED = 6
_MEND = {
    Reason.UNAUTHORIZED: "check the token or password in the settings",
    Reason.FORBIDDEN: "kubectl apply what `responder rbac` prints",
    Reason.UNREACHABLE: "check the address, and that a network policy lets Responder through",
    Reason.TIMEOUT: "check the address, and that a network policy lets Responder through",
    Reason.NOT_FOUND: "check the path of the address",
}


@dataclass(frozen=True)
class Line:
    """One line of the table. `fine` is None where it could not be told."""

    what: str
    fine: bool | None
    version: str = ""
    clock: str = ""
    detail: str = ""

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        verdict = {True: "ok", False: "TROUBLE", None: "not known"}[self.fine]
        return self.what, verdict, self.version or "-", self.clock or "-", self.detail


def doctor(config: ConfigOption = None) -> None:
    """Connect to everything in the settings: reachable, permitted, clocks, versions, and how to mend what is not."""
    settings = load(config)
    log.configure("error", "console")
    lines = asyncio.run(_examine(settings))
    _print([("source", "", "version", "clock", ""), *(line.cells for line in lines)])
    if any(line.fine is False for line in lines):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> Sequence[Line]:
    from responder.app import check_escalation, make_actions, make_sinks, outside

    clock = SystemClock()
    sinks = make_sinks(settings)
    async with outside(settings, Metrics(), clock) as found:
        book = found.rules.current
        reached = await asyncio.gather(*(_reach(name, ask, clock) for name, ask in questions(found.clusters)))
        rights = rights_needed(settings, book.runbooks.values(), found.probes, make_actions(settings), found.detectors)
        known = [(name, clients.kubernetes_client) for name, clients in found.clusters.items()]
        permitted = [await _permitted(name, cluster, rights) for name, cluster in known if cluster is not None]
    unserved = check_escalation(settings, book, sinks)
    return [
        *reached,
        *permitted,
        Line("runbooks", True, detail=f"{len(book.runbooks)} in use"),
        Line("escalation", not unserved, detail=unserved and f"{unserved}: name a sink in escalation.contacts"),
        *(Line(f"sink {name}", None, detail=f"try it: responder sinks test {name}") for name in sinks),
    ]


async def _reach(name: str, ask: Ask, clock: Clock) -> Line:
    try:
        async with asyncio.timeout(TIMEOUT):
            answered = await ask()
    except TimeoutError:
        return Line(name, False, detail=f"no answer within {TIMEOUT:g} s: {_MEND[Reason.TIMEOUT]}")
    except Trouble as trouble:
        mend = _MEND.get(trouble.reason, "")
        return Line(name, False, detail=f"{trouble}: {mend}" if mend else str(trouble))
    return _timed(Line(name, True, answered.version), answered, clock)


def _timed(line: Line, answered: Answered, clock: Clock) -> Line:
    if answered.time is None:
        return line
    off = (answered.time - clock.now()).total_seconds()
    shown = replace(line, clock=f"{off:+.0f} s")
    if abs(off) <= SKEW:
        return shown
    return replace(shown, fine=False, detail="the clocks differ: set both by NTP, else charts and alerts do not fit")


async def _permitted(name: str, cluster: Kubernetes, rights: Rights) -> Line:
    """Whether the account may do what the loaded runbooks need, in all namespaces."""
    what = f"rights{f' {name}' if name else ''}"
    wanted = [(right, verb) for right in sorted(rights.needed, key=_key) for verb in right.verbs]
    try:
        answers = await asyncio.gather(*(_may(cluster, right, verb) for right, verb in wanted))
    except Trouble as trouble:
        return Line(what, None, detail=str(trouble))
    missing = [f"{verb} {_key(right)}" for (right, verb), may in zip(wanted, answers, strict=True) if not may]
    if not missing:
        return Line(what, True, detail=f"{len(wanted)} rights that the runbooks need")
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    shown = ", ".join(missing[:NAMED]) + more
    return Line(what, False, detail=f"not in all namespaces: {shown}: {_MEND[Reason.FORBIDDEN]}")


async def _may(cluster: Kubernetes, right: Permission, verb: str) -> bool:
    resource, _, part = right.resource.partition("/")
    attributes = {"group": right.group, "resource": resource, "subresource": part, "verb": verb}
    answer = await cluster.review("SelfSubjectAccessReview", {"resourceAttributes": attributes})
    return bool(answer.get("allowed"))


def _key(right: Permission) -> str:
    return f"{right.resource}.{right.group}".rstrip(".")


def _print(rows: Iterable[Sequence[str]]) -> None:
    table = list(rows)
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        typer.echo("  ".join([*cells, row[4]]).rstrip())
