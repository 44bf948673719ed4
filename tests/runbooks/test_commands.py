"""Commands that shipped runbooks advise: none that cannot work as it stands."""

import re
from pathlib import Path

import pytest

from responder.runbooks.loading import shipped

FILES = sorted((shipped() / "runbooks").rglob("*.yaml"))
_TO_A_SERVER = re.compile(r"\b(?:psql|pg_restore|pg_dump|pg_amcheck)\b[^\n|;]*?\s(?:-h|--host)[ =]")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_a_database_command_that_goes_over_the_network_has_a_password(file: Path) -> None:
    text = re.sub(r"\\\n\s*#?\s*", " ", file.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if _TO_A_SERVER.search(line)]
    assert [line for line in lines if "PGPASSWORD" not in line] == []
