"""`kubernetes.jobs`: what is counted, and what is kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from responder.clients import Clients
from responder.errors import Permanent, Reason
from responder.model.evidence import KubernetesObjects, Observation
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes.kubernetes_jobs import KubernetesJobs
from tests.detectors.test_jobs import completed, cron, event, job, pod
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.makers import NOW, alert


async def ask(kubernetes: FakeKubernetes, target: Target | None = None, **options: Any) -> Observation:
    asked = Inquiry(target or Target(namespace="shop"), (alert(),), NOW, NOW)
    return await KubernetesJobs(**options).run(asked, Clients("", FailingHttp(), kubernetes))


def names(seen: Observation) -> set[str]:
    assert isinstance(seen.data, KubernetesObjects)
    return {f"{item['kind']}/{item['metadata']['name']}" for item in seen.data.objects}


async def test_failed_and_missed_are_counted() -> None:
    objects = [job(failed="BackoffLimitExceeded"), cron(last=3), pod(), event("Job", "export-1", "Bad", "x")]
    seen = await ask(FakeKubernetes(objects))
    assert seen.summary.startswith("1 job: 1 failed, 0 running; 1 cron job, 0 suspended; job export-1 failed")
    assert (seen.value, seen.breached) == (2, True)
    assert any("was due 2 times and did not run" in fact for fact in seen.facts)
    assert names(seen) == {"Job/export-1", "CronJob/export", "Pod/export-1-x", "Event/Bad"}


async def test_a_job_that_runs_too_long_is_a_trouble_only_where_that_was_asked() -> None:
    cluster = FakeKubernetes([job(hours=3)])
    assert (await ask(cluster)).value == 0
    seen = await ask(cluster, max_active="1h")
    assert "runs for 3 h, wanted are at most 60 min" in seen.summary


async def test_a_name_or_the_target_chooses() -> None:
    objects = [job("export-1"), job("import-1", cron="import"), cron()]
    assert names(await ask(FakeKubernetes(objects), name="export")) == {"Job/export-1", "CronJob/export"}
    target = Target(namespace="shop", workload="cronjob/import")
    assert names(await ask(FakeKubernetes(objects), target)) == {"Job/import-1"}
    assert (await ask(FakeKubernetes(objects), name="absent")).empty


async def test_old_completed_jobs_are_left_out() -> None:
    seen = await ask(FakeKubernetes([completed(f"export-{hours}", hours) for hours in range(1, 20)]))
    assert len(names(seen)) == 5
    assert "19 jobs" in seen.summary


async def test_what_cannot_be_read_is_a_gap() -> None:
    denied = Permanent("forbidden", Reason.FORBIDDEN)
    seen = await ask(FakeKubernetes([job()], troubles={"cronjobs.batch": denied}))
    assert [gap.what for gap in seen.gaps] == ["cronjobs in shop"]


@pytest.mark.parametrize("kind", ["jobs", "cronjobs"])
async def test_recorded_answers_are_read(shared: Path, kind: str) -> None:
    folder = shared / "kubernetes" / "recordings" / "list"
    recorded = json.loads((folder / f"{kind}.json").read_text())["body"]
    objects = [{"kind": recorded["kind"].removesuffix("List"), **item} for item in recorded["items"]]
    seen = await ask(FakeKubernetes(objects), Target(namespace="kubechat-system"), name="siem-export")
    assert seen.breached is False
    assert "0 failed" in seen.summary
