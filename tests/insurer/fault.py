"""What a fault is, and what several faults need."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from responder.model.evidence import Evidence
from tests.insurer import lines
from tests.insurer.system import System


@dataclass(frozen=True)
class Fault:
    """A fault: which causes are right, of what, and how it is done. `core` says to whom."""

    cause: str
    name: str
    do: Callable[[System, str], Any]
    core: str = "claim"
    subject: str = ""
    given: Callable[[System], dict[str, Evidence]] | None = None
    also: tuple[str, ...] = field(default=())

    def expected(self, system: System) -> str:
        return (self.subject or "deployment/{app}").format(app=system.style.name(self.core), ns=system.namespace)

    def __str__(self) -> str:
        return f"{self.cause}: {self.name}"


_FAULTS: list[Fault] = []


def fault(
    cause: str, name: str, **options: Any
) -> Callable[[Callable[[System, str], Any]], Callable[[System, str], Any]]:
    def remember(do: Callable[[System, str], Any]) -> Callable[[System, str], Any]:
        _FAULTS.append(Fault(cause, name, do, **options))
        return do

    return remember


def known() -> list[Fault]:
    """The faults that were defined so far."""
    return list(_FAULTS)


def container(system: System, app: str, kind: str = "Deployment") -> dict[str, Any]:
    found: dict[str, Any] = system.template(app, kind)["containers"][0]
    return found


def set_env(system: System, app: str, name: str, value: str, kind: str = "Deployment") -> None:
    env = container(system, app, kind).setdefault("env", [])
    env[:] = [item for item in env if item["name"] != name]
    env.append({"name": name, "value": value})


def fresh(system: System, app: str, kind: str = "Deployment") -> str:
    """The pod made anew, its old log gone."""
    pod = system.pod_name(app)
    for key in [key for key in system.logs if key.startswith(f"{pod}/")]:
        del system.logs[key]
    system.rolled_out(app, kind)
    return pod


DB = {"subject": "statefulset/db"}
"""A fault of the database itself."""


def callers_of_database_fail(system: System) -> None:
    """The services complain while the database is away; some of them are restarted for it."""
    for core in ("policy", "claim", "quote", "payment", "invoice", "user"):
        app = system.style.name(core)
        system.say(system.pod_name(app), app, lines.refused_by_mysql(), ago=40)
    for core in ("policy", "payment"):
        app = system.style.name(core)
        system.crashing(app)
        system.say(system.pod_name(app), app, lines.refused_by_mysql(), ago=50, previous=True)
