"""`responder sinks`."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "responder.yaml"
    file.write_text("sinks: [{name: console, kind: log}]\nlog_format: console\n")
    return file


def run(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "responder", "sinks", *arguments, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_sinks_are_listed(config: Path) -> None:
    assert run(config).stdout == "console (log)\n"


def test_a_sample_is_sent_through_its_stages(config: Path) -> None:
    done = run(config, "test", "console")
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.index("looking into it") < done.stdout.index("OOMKilled") < done.stdout.index("resolved: delivered")
    )


def test_a_preview_is_printed_and_nothing_is_sent(config: Path) -> None:
    assert "--- diagnosed" in run(config, "preview", "console").stdout


def test_a_sink_that_is_not_there_is_named(config: Path) -> None:
    done = run(config, "test", "consol")
    assert done.returncode == 1
    assert "did you mean 'console'?" in done.stderr
