"""What is installed is complete."""

import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import responder

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in the wheel, built from the checkout without the network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1577836800"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=60)
    (built,) = folder.glob("*.whl")
    assert built.name == f"responder-{responder.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_the_version_is_said_once() -> None:
    assert version("responder") == responder.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", responder.__version__)


def test_type_checkers_of_others_see_our_types(wheel: set[str]) -> None:
    assert "responder/py.typed" in wheel


def test_the_wheel_has_every_module(wheel: set[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "responder").rglob("*.py")}
    assert modules <= wheel


@pytest.mark.parametrize("folder", ["runbooks", "alerts", "escalation", "templates"])
def test_the_wheel_has_the_rules(wheel: set[str], folder: str) -> None:
    rules = list((ROOT / "rules" / folder).rglob("*.yaml"))
    assert rules
    assert {f"responder/{path.relative_to(ROOT)}" for path in rules} <= wheel


def test_the_wheel_has_the_demo_and_everything_else_that_is_no_code(wheel: set[str]) -> None:
    data = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "responder").rglob("*.*")
        if path.is_file() and path.suffix not in {".pyc", ".py"}
    }
    assert data <= wheel
    assert any(name.startswith("responder/demo/clusters/") for name in data)


def test_the_wheel_has_the_license(wheel: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_every_version_is_locked_without_an_address() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines[0].startswith("#")
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[^\s:/]+", line) for line in lines[1:])
