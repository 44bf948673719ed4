"""The demo, as `make demo CHECK=1` runs it: the right answer to every fault, and nothing left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from responder.demo.faults import FAULTS

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed: make setup"),
]


def demo(*arguments: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "responder", "demo", *arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The demo's folder is in a place of this test's own; nothing may be left to run there."""
    yield {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "120", "PYTHONUNBUFFERED": "1"}
    assert not servers_in(tmp_path)


def servers_in(folder: Path) -> list[str]:
    """The command lines of the processes that were started for a demo in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{folder}/responder-demo-" in line:
            found.append(line)
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_responder_finds_the_cause_and_closes_the_incident_when_it_heals(
    fault: str, environment: Mapping[str, str], tmp_path: Path
) -> None:
    process = demo("--fault", fault, "--check", environment=environment)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert FAULTS[fault].subject[1] in output
    assert re.search(r"alert firing → finding published\s+\d+\.\d+ s", output)
    assert not servers_in(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_no_server_survives_the_demo(number: signal.Signals, environment: Mapping[str, str], tmp_path: Path) -> None:
    process = demo(environment=environment)
    assert process.stdout
    assert any("All is well" in line for line in process.stdout), "the demo ended by itself"
    assert len(servers_in(tmp_path)) == 3
    process.send_signal(number)
    process.communicate()
    deadline = time.monotonic() + 20
    while servers_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not servers_in(tmp_path)
    if number is not signal.SIGKILL:
        assert process.returncode == 0
        assert not list(tmp_path.iterdir())


def test_a_missing_program_is_named_with_the_way_to_install_it(tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path), "TMPDIR": str(tmp_path)}
    output, _ = demo("--check", environment=nothing).communicate()
    said = " ".join(output.split())
    assert "prometheus is not installed" in said
    assert "apt-get install" in said
