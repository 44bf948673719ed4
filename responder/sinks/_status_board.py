"""What the public knows of all incidents, as one record; how an update changes it, and how it looks. Pure."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

from jinja2 import Environment, StrictUndefined, Template
from pydantic import AwareDatetime

from responder.model.communication import PublicUpdate
from responder.model.record import Record

MOST_INCIDENTS = 200
MOST_UPDATES = 100
State = Literal["investigating", "identified", "monitoring", "resolved", "postmortem"]


class Update(Record):
    """One thing that the public was told."""

    state: State
    body: str
    at: AwareDatetime


class Told(Record):
    """An incident as the public knows it; the oldest update first."""

    id: str
    title: str
    updates: tuple[Update, ...]

    @property
    def over(self) -> bool:
        """Whether it is resolved."""
        return self.updates[-1].state in ("resolved", "postmortem")


class Board(Record):
    """All incidents that the public is told of."""

    updated_at: AwareDatetime
    incidents: tuple[Told, ...] = ()


def told(board: Board, key: str, public: PublicUpdate, now: datetime, keep: timedelta) -> Board:
    """The board after an update; the same where it says so already. What is over for longer than `keep` goes."""
    known = next((one for one in board.incidents if one.id == key), None)
    update = Update(state=public.state, body=public.body, at=public.at.astimezone(UTC))
    earlier = known.updates if known else ()
    same = bool(earlier) and (earlier[-1].state, earlier[-1].body) == (update.state, update.body)
    changed = Told(id=key, title=public.title, updates=earlier if same else (*earlier, update)[-MOST_UPDATES:])
    others = [one for one in board.incidents if one.id != key and not (one.over and one.updates[-1].at < now - keep)]
    incidents = (changed, *others) if changed != known else board.incidents
    if incidents == board.incidents:
        return board
    return Board(updated_at=now.astimezone(UTC), incidents=_bounded(incidents))


def page(board: Board, title: str) -> str:
    """The board as a page without scripts."""
    open_ones = [one for one in board.incidents if not one.over]
    over = [one for one in board.incidents if one.over]
    count = len(open_ones)
    known = "There is 1 incident." if count == 1 else f"There are {count} incidents."
    return _template().render(
        title=title,
        open=open_ones,
        verdict=known if count else "No incident is known.",
        sections=(("Now", open_ones), ("Resolved", over)),
        updated_at=board.updated_at,
    )


def _bounded(incidents: tuple[Told, ...]) -> tuple[Told, ...]:
    """The newest news first; open ones are the last to go."""
    newest = sorted(incidents, key=lambda one: one.updates[-1].at, reverse=True)
    return tuple(sorted(newest, key=lambda one: one.over)[:MOST_INCIDENTS])


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((Path(__file__).parent / "status_file.html.jinja").read_text(encoding="utf-8"))
