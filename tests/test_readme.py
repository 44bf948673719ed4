"""What the README shows works as it stands there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from responder import settings
from responder.app import make_sinks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
YAML = [found[1] for found in re.finditer(r"```yaml\n(.*?)```", README, re.DOTALL)]


def test_the_settings_are_valid(tmp_path: Path) -> None:
    file = tmp_path / "responder.yaml"
    file.write_text(YAML[0])
    found = settings.load(file)
    assert make_sinks(found).keys() == {"console"}
    assert found.prometheus.url == "http://prometheus.monitoring:9090"


@pytest.mark.integration
def test_alertmanager_accepts_the_receiver(tmp_path: Path) -> None:
    if not (amtool := shutil.which("amtool")):
        pytest.skip("amtool is not installed: make setup")
    file = tmp_path / "alertmanager.yml"
    file.write_text(YAML[1])
    assert yaml.safe_load(YAML[1])["receivers"]
    checked = subprocess.run([amtool, "check-config", file], capture_output=True, timeout=30)
    assert checked.returncode == 0, checked.stderr


def test_every_link_leads_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link
