"""Database servers, as messages name them."""

import re
from dataclasses import dataclass

SILENT = "it accepts connections and does not answer"
"""What is said of a server that is neither down nor cut off."""
_NAMED = re.compile(r"(PostgreSQL|Redis)(?: (\S+))? at ((?:\[[^\s\]]*\]|[^\s:\[\]]+):\d+)(?=[:\s]|$)")


@dataclass(frozen=True)
class Server:
    """A database server: what it is, what the settings call it, and its `host:port`."""

    product: str
    name: str
    place: str

    def __str__(self) -> str:
        """`PostgreSQL main at db.shop:5432`."""
        return f"{self.product}{f' {self.name}' if self.name else ''} at {self.place}"

    @classmethod
    def named_in(cls, text: str) -> "Server | None":
        """The server whose name a message begins with."""
        found = _NAMED.match(text)
        return cls(found[1], found[2] or "", found[3]) if found else None

    @property
    def host(self) -> str:
        """The host without brackets and port."""
        return self.place.rpartition(":")[0].strip("[]")
