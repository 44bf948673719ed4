"""The log, as the service writes it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from responder import log

Entries = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Iterator[Entries]:
    """The entries of the log, which is set up as the service does."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    log.configure("info", "json")
    yield lambda: [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    root.handlers[:] = before
    root.setLevel(level)
