"""The commands, one module each."""

import importlib
import sys

import typer

from responder.errors import ResponderError

COMMANDS = ("serve", "investigate", "replay", "check", "test", "doctor", "coverage", "sinks", "rbac", "demo")


def main() -> None:
    """Run the command line. Errors that say what to do end with one line and exit code 1, not with a traceback."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, help="The automated first responder.")
    wanted = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    for name in (wanted,) if wanted in COMMANDS else COMMANDS:
        module = importlib.import_module(f"responder.cli.{name}")
        app.command(name)(getattr(module, name))
    # with a single command typer would not ask for its name
    app.callback()(lambda: None)
    try:
        app()
    except ResponderError as error:
        typer.echo(f"responder: {error}", err=True)
        raise SystemExit(1) from None
