"""What fails through a fault of the code leaves its traceback in the log, a line for the reader, and a count."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from responder import detectors, log
from responder.detectors import Case, containers
from responder.flow import respond, rounds
from responder.flow.diagnose import diagnose
from responder.flow.watch import watched
from responder.metrics import Metrics
from responder.model.finding import Cleared, Finding
from responder.model.subject import Target
from responder.probes import kubernetes_namespace
from tests.flow.test_unseen import RUNBOOK
from tests.logs import Entries, written
from tests.makers import NOW
from tests.service import Running, Starter, alert, start_service

__all__ = ["start_service", "written"]


def broken(_case: Case) -> Iterator[Finding | Cleared]:
    raise KeyError("restartCount")
    yield


def sound(_case: Case) -> Iterator[Finding | Cleared]:
    yield Cleared(text="no pod restarts", evidence=())


async def broken_probe(*_given: Any) -> None:
    raise AttributeError("NoneType has no attribute spec")


async def count(service: Running, name: str) -> float:
    return await service.metric("responder_detector_failures_total", detector=name)


def entry(lines: list[dict[str, Any]], event: str) -> dict[str, Any]:
    return next(line for line in lines if line["event"] == event)


async def test_a_detector_that_fails_is_logged_with_its_traceback_counted_and_named_to_the_reader(
    start_service: Starter, monkeypatch: pytest.MonkeyPatch, written: Entries
) -> None:
    monkeypatch.setattr(containers, "detect", broken)
    service = await start_service("crash_loop")
    assert await count(service, "containers") == 0
    await service.post(alert(pod="websocket-0"))
    incident = await service.incident()
    assert "the detector containers failed (KeyError); the log of Responder has the details" in incident["remarks"]
    runs = await service.metric("responder_detector_seconds_count", detector="containers")
    assert await count(service, "containers") == runs >= 1
    assert await service.metric("responder_detector_seconds_count", detector="rollouts") == runs
    line = entry(written(), "diagnose.failed")
    assert line["detector"] == "containers"
    assert line["incident"] == incident["id"]
    assert "in broken\n" in line["exception"]


async def test_a_probe_that_fails_is_logged_with_its_traceback_and_counted(
    start_service: Starter, monkeypatch: pytest.MonkeyPatch, written: Entries
) -> None:
    monkeypatch.setattr(kubernetes_namespace.KubernetesNamespace, "run", broken_probe)
    service = await start_service("crash_loop")
    await service.post(alert(pod="websocket-0"))
    incident = await service.incident()
    assert any("the probe failed; the log of Responder has the details" in item["text"] for item in incident["unseen"])
    assert await count(service, "kubernetes.namespace") == 1
    assert "in broken_probe\n" in entry(written(), "investigate.probe_failed")["exception"]


async def test_an_investigation_that_fails_is_logged_with_its_traceback_and_counted(
    start_service: Starter, monkeypatch: pytest.MonkeyPatch, written: Entries
) -> None:
    monkeypatch.setattr(rounds.Rounds, "run", broken_probe)
    service = await start_service("crash_loop")
    await service.post(alert(pod="websocket-0"))
    incident = await service.incident(lambda item: item["investigation"]["status"] == "failed")
    assert any("the log of Responder has the details" in line["text"] for line in incident["timeline"])
    assert await count(service, "investigation") == 1
    assert "in broken_probe\n" in entry(written(), "respond.failed")["exception"]


def test_a_rule_that_fails_leaves_the_others_to_conclude() -> None:
    rules = [{"when": "size(labels)", "cleared": "never"}, {"use": "sound"}]
    runbook = RUNBOOK.model_validate({**RUNBOOK.model_dump(by_alias=True), "diagnose": rules})
    metrics = Metrics()
    case = Case(target=Target(), alerts=(), started_at=NOW, now=NOW)
    found = diagnose(case, runbook, detectors.Detectors({"sound": sound}, {}), lambda name: watched(metrics, name))
    assert [item.text for item in found.cleared] == ["no pod restarts"]
    assert found.remarks[0].startswith("a rule of the runbook was left out: ")
    assert metrics.registry.get_sample_value("responder_detector_failures_total", {"detector": "runbook"}) == 1
    assert metrics.registry.get_sample_value("responder_detector_seconds_count", {"detector": "sound"}) == 1


def test_on_a_terminal_a_traceback_is_short_and_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    password = "hunter2"
    try:
        log.configure("error", "console")
        try:
            int(password[:0])
        except ValueError:
            respond.log.exception("respond.failed")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    shown = capsys.readouterr().err
    assert "ValueError: invalid literal" in shown
    assert "hunter2" not in shown
    assert len(shown.splitlines()) < 10
