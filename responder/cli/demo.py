"""`responder demo`: watch Responder answer an alert."""

import asyncio
import signal
from typing import Annotated

import typer
from rich.console import Console

from responder.demo.faults import FAULTS
from responder.demo.show import play
from responder.errors import ResponderError


def demo(
    fault: Annotated[str, typer.Option(help=f"What breaks: {', '.join(FAULTS)}.")] = "crash_loop",
    check: Annotated[bool, typer.Option("--check", help="Ask nobody, assert on the finding, and exit.")] = False,
) -> None:
    """Break a simulated KubeChat and watch real Prometheus, Alertmanager and Responder deal with it."""
    console = Console()
    if fault not in FAULTS:
        raise typer.BadParameter(f"{fault!r} is no fault: there is {', '.join(FAULTS)}", param_hint="--fault")
    try:
        right = asyncio.run(_until_ended(fault, check, console))
    except ResponderError as error:
        console.print(f"[red]✗[/red] {error}", highlight=False)
        raise typer.Exit(1) from None
    if right is None:
        console.print("Ended.")
    raise typer.Exit(1 if right is False or (check and right is None) else 0)


async def _until_ended(fault: str, check: bool, console: Console) -> bool | None:
    """Play. Ctrl-C, SIGTERM and SIGHUP end it early with everything cleaned up: None."""
    task = asyncio.current_task()
    assert task
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await play(fault, check=check, console=console)
    except asyncio.CancelledError:
        return None
