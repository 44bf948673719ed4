"""The flow of the demo: healthy, broken, found, healed, resolved; for a person to watch or as a check."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from responder.demo import keys
from responder.demo.faults import FAULTS
from responder.demo.progress import Steps
from responder.demo.scene import EXPORTERS, Scene, stage
from responder.errors import ResponderError
from responder.flow.message import compose
from responder.model.report import InvestigationStatus, Report
from responder.sinks.log import render

T = TypeVar("T")
QUIET_SECONDS = 6


class NotInTimeError(ResponderError):
    """Something that the demo waits for did not happen."""


async def play(name: str, *, check: bool, console: Console) -> bool:
    """Run the demo of a fault; with `check` nobody is asked, and False says that the answer was wrong."""
    fault = FAULTS[name]
    timings: dict[str, float] = {}
    with Steps(console) as steps:
        async with stage(name, steps.begin) as scene:
            steps.begin("All is well")
            await until("all exporters scraped and no alert", 30, lambda: _calm(scene))
            await asyncio.sleep(QUIET_SECONDS)
            steps.begin(f"Breaking it: {fault.title}")
            broken = time.monotonic()
            await scene.simulator.turn("faulty", name)
            steps.begin("Waiting for the alert")
            alert = await until("an alert in Alertmanager", 60, lambda: _firing(scene))
            fired = time.monotonic()
            timings["fault → alert firing in Alertmanager"] = fired - broken
            steps.begin(f"{alert} fires; Responder looks into it")
            report = await until("a finding", 60, lambda: _found(scene, fault.runbook))
            timings["alert firing → finding published"] = time.monotonic() - fired
            timings["fault → finding published"] = time.monotonic() - broken
            steps.pause()
            _show(report, console)
            if not check:
                await _told_to_heal(scene, console)
            steps.begin("Healing KubeChat; waiting for Alertmanager to say resolved")
            mended = time.monotonic()
            if scene.simulator.state == "faulty":
                await scene.simulator.turn("healed")
            await until("all incidents resolved", 90, lambda: _resolved(scene))
            timings["healed → incident resolved"] = time.monotonic() - mended
            steps.begin("Ending everything")
    _print_timings(timings, console)
    wrong = list(fault.objections(report)) if check else []
    for objection in wrong:
        console.print(f"[red]✗[/red] {name}: {objection}", highlight=False)
    return not wrong


async def until(what: str, within: float, ask: Callable[[], Awaitable[T | None]]) -> T:
    """Ask every 50 ms until there is an answer; raises NotInTimeError."""
    try:
        async with asyncio.timeout(within):
            while True:
                try:
                    if (answer := await ask()) is not None:
                        return answer
                except aiohttp.ClientError:
                    await asyncio.sleep(0.2)
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise NotInTimeError(f"there was no sign of {what} within {within:.0f} s") from None


async def _calm(scene: Scene) -> bool | None:
    targets = (await scene.get(f"{scene.prometheus_url}/api/v1/targets"))["data"]["activeTargets"]
    groups = (await scene.get(f"{scene.prometheus_url}/api/v1/rules"))["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    up = [target for target in targets if target["health"] == "up"]
    fine = len(up) == len(EXPORTERS) and all(rule["health"] == "ok" for rule in rules)
    return True if fine and all(rule.get("state", "inactive") == "inactive" for rule in rules) else None


async def _firing(scene: Scene) -> str | None:
    alerts = await scene.get(f"{scene.alertmanager_url}/api/v2/alerts?active=true")
    return ", ".join(sorted({str(alert["labels"]["alertname"]) for alert in alerts})) or None


async def _found(scene: Scene, runbook: str) -> Report | None:
    for incident in await _incidents(scene):
        done = incident["investigation"]["status"] == InvestigationStatus.FINISHED
        if incident["runbook"] == runbook and done:
            return Report.model_validate(await scene.get(f"{scene.responder_url}/api/v1/incidents/{incident['id']}"))
    return None


async def _resolved(scene: Scene) -> bool | None:
    open_ones = [incident for incident in await _incidents(scene) if incident["status"] != "resolved"]
    return None if open_ones else True


async def _incidents(scene: Scene) -> list[dict[str, Any]]:
    answer = await scene.get(f"{scene.responder_url}/api/v1/incidents")
    found: list[dict[str, Any]] = answer["incidents"] if isinstance(answer, dict) else answer
    return found


async def _told_to_heal(scene: Scene, console: Console) -> None:
    """Until somebody presses h, or POSTs to the simulator."""
    how = "Press [bold]h[/bold]" if sys.stdin.isatty() else f"POST {scene.simulator_url}/heal"
    console.print(f"{how} to heal KubeChat, [bold]Ctrl-C[/bold] to end.", highlight=False)
    async with keys.pressed("h") as pressed, asyncio.TaskGroup() as tasks:
        either = [tasks.create_task(event.wait()) for event in (pressed, scene.simulator.mended)]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        for task in either:
            task.cancel()


def _show(report: Report, console: Console) -> None:
    first, headline, *rest = render(compose(report))
    text = Text.assemble("\n", first, "\n", (headline, "bold"), "\n", "\n".join(rest), "\n")
    console.print(text, soft_wrap=True)
    console.print(Text.assemble("The incident's page: ", (report.url, "bold"), "\n"), soft_wrap=True)


def _print_timings(timings: dict[str, float], console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for what, seconds in timings.items():
        table.add_row(what, f"{seconds:.2f} s")
    console.print(table)
