"""KubeChat's cluster as recorded from a real API server, told as if the recording's now were ours."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

RECORDINGS = Path(__file__).parent / "clusters"
RECORDED_AT = datetime(2020, 1, 1, tzinfo=UTC)
State = Literal["healthy", "faulty", "healed"]

_STAMP = re.compile(r"\b(20(?:19|20)-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z")


def shifted(text: str, by: timedelta) -> str:
    """The text with every recorded time moved."""

    def moved(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found[1]) + by
        return f"{at:%Y-%m-%dT%H:%M:%S}{found[2] or ''}Z"

    return _STAMP.sub(moved, text)


class Recording:
    """The cluster around one fault."""

    def __init__(self, fault: str) -> None:
        self._folder = RECORDINGS / fault

    def objects(self, state: State, resource: str) -> Sequence[dict[str, Any]]:
        """The objects of a resource, with the recorded times."""
        items: list[dict[str, Any]] = json.loads((self._folder / state / f"{resource}.json").read_text())["items"]
        return items

    def tell(self, state: State, folder: Path, now: datetime) -> None:
        """Write the cluster as it stands at `now`: lists as `kubectl get -o json` prints them, and logs."""
        source = self._folder / state
        for path in source.rglob("*.*"):
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(shifted(path.read_text(), now.replace(microsecond=0) - RECORDED_AT))
