"""What all tests share: makers of values. Servers are in `tests/servers.py`."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.makers", "tests.servers", "tests.datastores", "tests.kubernetes_server", "tests.service"]

# Else looptime, asking for the loop of a test that has none, makes one that nobody closes.
asyncio.set_event_loop(None)

# How long examples take says something about the machine, not about what they test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded payloads and cases beside the project; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no recordings: {SHARED.name}/ is not beside this checkout")
    return SHARED
