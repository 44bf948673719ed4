"""Watch: a detector, rule or probe that fails leaves its traceback in the log and a count; the rest goes on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from responder.errors import ResponderError
from responder.metrics import Metrics

log = structlog.get_logger(__name__)

INVESTIGATION = "investigation"
"""The name under which the failure of a whole investigation is counted."""


@contextmanager
def watched(metrics: Metrics, detector: str) -> Iterator[None]:
    """Time a detector (or `runbook`, for a rule of one), and report its failure before it is raised again."""
    started = time.perf_counter()
    try:
        yield
    except Exception as error:
        count_failure(metrics, detector)
        # a rule that does not fit the evidence says why itself; anything else is a fault of the code
        log.error(
            "diagnose.failed", detector=detector, error=str(error), exc_info=not isinstance(error, ResponderError)
        )
        raise
    finally:
        metrics.detector_seconds.labels(detector).observe(time.perf_counter() - started)


def count_failure(metrics: Metrics, name: str) -> None:
    """Count a failure of a detector, of a probe by its kind, or of a whole investigation."""
    metrics.detector_failures.labels(name).inc()
