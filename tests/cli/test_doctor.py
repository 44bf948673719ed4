"""`responder doctor` says what answers, what is permitted, whose clock is off, and how each is mended."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from responder.cli import doctor
from responder.clients.reachability import Answered
from responder.errors import Permanent, Reason
from responder.probes import Permission
from responder.runbooks.rights import Rights
from tests.clock import TurnedClock
from tests.fakes.clients import FakeKubernetes
from tests.logs import Entries, written
from tests.makers import NOW
from tests.servers import Servers, servers
from tests.service import PATIENCE, Starter, start_service

__all__ = ["servers", "start_service", "written"]

LOGS = Permission("", "pods/log", ("get",))
RIGHTS = Rights(frozenset({Permission("", "pods"), Permission("apps", "deployments"), LOGS}))


@dataclass
class Strict(FakeKubernetes):
    """A cluster that allows some things only."""

    allowed: frozenset[tuple[str, str]] = frozenset()
    reviewed: list[Any] = field(default_factory=list)

    async def review(self, kind: str, spec: Any, *, namespace: str = "") -> Any:
        asked = spec["resourceAttributes"]
        self.reviewed.append(asked)
        return {"allowed": (asked["verb"], asked["resource"]) in self.allowed}


async def test_a_right_that_is_missing_is_named_with_what_grants_it() -> None:
    allowed = frozenset({("get", "pods"), ("list", "pods"), ("get", "deployments")})
    cluster = Strict([], allowed=allowed)
    line = await doctor._permitted("prod", cluster, RIGHTS)
    assert line.what == "rights prod"
    assert line.fine is False
    assert "list deployments.apps" in line.detail
    assert "`responder rbac` prints" in line.detail
    assert {"group": "", "resource": "pods", "subresource": "log", "verb": "get"} in cluster.reviewed


async def test_all_rights_are_fine() -> None:
    allowed = frozenset((verb, name) for verb in ("get", "list") for name in ("pods", "deployments"))
    line = await doctor._permitted("", Strict([], allowed=allowed), RIGHTS)
    assert (line.fine, line.detail) == (True, "5 rights that the runbooks need")


@pytest.mark.parametrize(("seconds", "fine", "shown"), [(1, True, "+1 s"), (-90, False, "-90 s")])
async def test_a_clock_that_is_off_is_trouble(seconds: int, fine: bool, shown: str) -> None:
    async def ask() -> Answered:
        return Answered("15.3", NOW + timedelta(seconds=seconds))

    line = await doctor._reach("PostgreSQL", ask, TurnedClock(NOW))
    assert (line.fine, line.version, line.clock) == (fine, "15.3", shown)
    assert bool(line.detail) != fine


async def test_wrong_credentials_are_told_with_what_to_check() -> None:
    async def ask() -> Answered:
        raise Permanent("Loki answered 401", Reason.UNAUTHORIZED)

    line = await doctor._reach("Loki", ask, TurnedClock(NOW))
    assert line.detail == "Loki answered 401: check the token or password in the settings"


@pytest.mark.integration
async def test_the_table_has_a_line_for_everything_in_the_settings(tmp_path: Path, servers: Servers) -> None:
    prometheus = await servers.prometheus()
    given = {
        "prometheus": {"url": prometheus.url},
        "loki": {"url": "http://127.0.0.1:9"},
        "sinks": [{"name": "console", "kind": "log"}],
        "escalation": {"contacts": {f"level_{number}": ["console"] for number in (1, 2, 3)}},
    }
    settings = doctor.load(_written(tmp_path, given))
    lines = {line.what: line for line in await doctor._examine(settings)}
    assert lines["Prometheus"].fine
    assert lines["Prometheus"].clock in ("+0 s", "-0 s", "+1 s", "-1 s")
    assert lines["Loki"].fine is False
    assert "check the address" in lines["Loki"].detail
    assert lines["escalation"].fine
    assert lines["sink console"].fine is None


def _written(folder: Path, given: Any) -> Path:
    file = folder / "responder.yaml"
    file.write_text(yaml.safe_dump(given))
    return file


async def test_serve_warns_at_its_start_of_sources_that_do_not_answer(start_service: Starter, written: Entries) -> None:
    service = await start_service(prometheus={"url": "http://127.0.0.1:9"})
    ready = ""
    async with asyncio.timeout(PATIENCE):
        while "Prometheus: trouble" not in ready:
            async with service.session.get(f"{service.url}/-/ready") as answer:
                ready = await answer.text()
            await asyncio.sleep(0.02)
    essential, _, others = ready.partition("Without these findings are poorer:")
    assert essential.startswith("Responder is ready.\nstore: ok\n")
    assert "Prometheus: trouble" in others
    assert [entry["source"] for entry in written() if entry["event"] == "source.unanswered"] == ["Prometheus"]


def test_trouble_ends_with_an_exit_code(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(doctor.doctor)
    file = _written(tmp_path, {"prometheus": {"url": "http://127.0.0.1:9"}})
    result = CliRunner().invoke(app, ["--config", str(file)])
    assert result.exit_code == 1
    assert "Prometheus  " in result.output
