"""What the content of an evidence is shown as: tables, logs, pictures, texts. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from markupsafe import Markup

Tone = Literal["", "bad", "warn", "good", "dim"]
MOST_ROWS = 50


@dataclass(frozen=True)
class Cell:
    """A value of a table. `tone` only underlines what the text says."""

    text: str = ""
    tone: Tone = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Column:
    """A heading; numbers stand on the right, `code` in the fixed font, `wide` ones take what is left."""

    title: str
    form: Literal["", "number", "code", "wide"] = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells; `more` is how many rows are left out; one that is `folded` shows its title only."""

    kind: ClassVar[str] = "table"
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    more: int = 0
    folded: bool = False


@dataclass(frozen=True)
class Log:
    """The end of one container's log."""

    kind: ClassVar[str] = "log"
    title: str
    lines: Sequence[str]
    last_error: str = ""
    groups: Table | None = None
    left_out: int = 0
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A chart as SVG, with its query."""

    kind: ClassVar[str] = "picture"
    svg: Markup
    caption: str = ""


@dataclass(frozen=True)
class Text:
    """Anything else, in the fixed font."""

    kind: ClassVar[str] = "text"
    title: str
    text: str
    left_out: int = 0


Block = Table | Log | Picture | Text


@dataclass
class TableMaker:
    """Collects rows up to a bound."""

    title: str
    columns: Sequence[Column]
    rows: list[Sequence[Cell]] = field(default_factory=list)

    def table(self) -> Table:
        """The table, cut."""
        return Table(self.title, self.columns, self.rows[:MOST_ROWS], max(0, len(self.rows) - MOST_ROWS))
