"""`prometheus.targets`: what Prometheus cannot scrape, and why."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from responder.clients import Clients, warnings_of
from responder.errors import Permanent, Reason
from responder.model.evidence import Gap, Observation, Reproduction
from responder.model.kubernetes import time
from responder.model.redaction import redact
from responder.model.scraping import ScrapeTarget, ScrapeTargets
from responder.probes import Inquiry, Probe
from responder.templating import Plain

KEPT = 100
LISTED = 6


class PrometheusTargets(Probe):
    """The targets that Prometheus scrapes, with its own words about those that are down; `value` is how many are.

    Without options all of them; `job` and `labels` choose.
    """

    job: Plain = Field("", description="the targets of this job only")
    labels: Mapping[str, Plain] = Field(default_factory=dict, description="the targets with these labels only")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        answer = await clients.prometheus.targets()
        gaps = tuple(Gap(what="Prometheus", reason=Reason.BAD_ANSWER, message=text) for text in warnings_of(answer))
        try:
            chosen = [target for target in answer if self._fits(target["labels"])]
            up = Counter(_job(item) for item in chosen if item["health"] == "up")
            failing = [_told(item) for item in chosen if item["health"] == "down"]
        except (KeyError, TypeError, AttributeError):
            raise Permanent("Prometheus did not tell its targets as it should", Reason.BAD_ANSWER) from None
        down = Counter(target.job for target in failing)
        unknown = len(chosen) - up.total() - len(failing)
        data = ScrapeTargets(up=up, down=down, unknown=unknown, failing=tuple(failing[:KEPT]))
        return Observation(
            summary=_summary(len(chosen), up, down, unknown),
            data=data,
            empty=not chosen,
            facts=tuple(_facts(failing)),
            value=float(len(failing)),
            breached=bool(failing),
            truncated=f"{len(failing) - KEPT} more targets that are down" if len(failing) > KEPT else "",
            gaps=gaps,
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        url = clients.prometheus.url
        asked = shlex.join(["curl", "-sS", f"{url}/api/v1/targets?state=active"])
        return (Reproduction(command=asked), Reproduction(link=f"{url}/targets"))

    def _fits(self, labels: Mapping[str, Any]) -> bool:
        if self.job and labels.get("job") != self.job:
            return False
        return all(labels.get(name, "") == value for name, value in self.labels.items())


def _job(target: Mapping[str, Any]) -> str:
    return str(target["labels"].get("job", ""))


def _told(target: Mapping[str, Any]) -> ScrapeTarget:
    at = time(target.get("lastScrape"))
    return ScrapeTarget(
        job=_job(target),
        instance=str(target["labels"].get("instance", "")),
        error=redact(str(target.get("lastError", "")))[:512],
        url=redact(str(target.get("scrapeUrl", "")))[:512],
        labels={str(name): str(value) for name, value in target["labels"].items()},
        at=at if isinstance(at, datetime) and at.tzinfo and at.year > 1 else None,
    )


def _summary(count: int, up: Counter[str], down: Counter[str], unknown: int) -> str:
    if not count:
        return "no targets"
    jobs = len({*up, *down}) or 1
    text = f"{count} target{'s' if count > 1 else ''} of {jobs} job{'s' if jobs > 1 else ''}: "
    text += f"{up.total()} up, {down.total()} down"
    text += f", {unknown} not scraped yet" if unknown else ""
    worst = ", ".join(f"{job} {number} of {number + up[job]}" for job, number in down.most_common(3))
    return f"{text} ({worst})" if worst else text


def _facts(failing: Sequence[ScrapeTarget]) -> list[str]:
    lines = [f"{item.job} {item.instance}: {item.error or 'down'}" for item in failing[:LISTED]]
    return lines + ([f"and {len(failing) - LISTED} more"] if len(failing) > LISTED else [])
