"""Scrape targets that are down: Prometheus says why in the error of the last scrape (prometheus, scrape/scrape.go)."""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence

from responder.detectors import Case
from responder.detectors._writing import CERTAIN, LIKELY, because, found, listed, plural, quote
from responder.model.failures import FailureKind, failure
from responder.model.finding import Cause, Cleared, Finding
from responder.model.scraping import ScrapeTarget, ScrapeTargets
from responder.model.subject import Subject

_REFERENCE = "https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config"
_CONFIRM = "Prometheus' page /targets: the error beside the target"


def _cause(slug: str, title: str, meaning: str, fix: str, *, generic: bool = False) -> Cause:
    return Cause(
        slug=slug, title=title, meaning=meaning, confirm=_CONFIRM, fix=fix, reference=_REFERENCE, generic=generic
    )


REFUSED = _cause(
    "scrape-target-refuses-connections", "A scrape target refuses connections",
    "Nothing listens on the port that Prometheus scrapes: the process is down, or serves metrics elsewhere.",
    "Start the process, or correct the port in the ServiceMonitor, annotation or scrape configuration",
)  # fmt: skip
SLOW = _cause(
    "scrape-target-timed-out", "A scrape target does not answer in time",
    "The answer takes longer than scrape_timeout, or packets are dropped on the way.",
    "See whether the target answers Prometheus at all (network policy), then why it is slow; raise scrape_timeout last",
)  # fmt: skip
NAME = _cause(
    "scrape-target-name-does-not-resolve", "The name of a scrape target does not resolve",
    "Prometheus is told to scrape a name that DNS does not know.", "Correct the name, or remove the target",
)  # fmt: skip
CERTIFICATE = _cause(
    "scrape-target-certificate", "The certificate of a scrape target is not accepted",
    "The TLS handshake of the scrape fails: expired, for another name, or of an authority that is not known to it.",
    "Renew the certificate, or correct tls_config (ca_file, server_name)",
)  # fmt: skip
DENIED = _cause(
    "scrape-target-denied", "A scrape target demands a login",
    "It answers 401 or 403: the token of the scrape is missing, wrong, or has not the right to read metrics.",
    "Give the scrape its token, and the service account the right get on the URL /metrics (or nodes/metrics)",
)  # fmt: skip
PATH = _cause(
    "scrape-target-wrong-path", "A scrape target has no metrics at the path",
    "It answers 404: metrics_path is wrong, or this build serves no metrics.",
    "Correct the path in the ServiceMonitor, annotation or scrape configuration",
)  # fmt: skip
STATUS = _cause(
    "scrape-target-server-error", "A scrape target answers with an error",
    "It answers the scrape with a status of 500 or more.", "Look at the target's log",
)  # fmt: skip
FORMAT = _cause(
    "scrape-target-not-metrics", "A scrape target answers with something that is not metrics",
    "The answer is not in Prometheus' text format: another port or path, a login page, a broken exporter.",
    "curl the target's URL and look; correct port and path, or the exporter",
)  # fmt: skip
LIMIT = _cause(
    "scrape-target-over-limit", "A scrape target has more than the scrape allows",
    "The answer has more samples, labels or bytes than sample_limit, label_limit or body_size_limit allow; all of it "
    "is thrown away.",
    "Find the metric that grew (topk over count by __name__), drop its labels, or raise the limit",
)  # fmt: skip
DOWN = _cause(
    "scrape-target-down", "A scrape target is down",
    "Prometheus cannot scrape it; its error fits none of the usual reasons.",
    "Ask the target's URL from where Prometheus runs", generic=True,
)  # fmt: skip
CAUSES = (REFUSED, SLOW, NAME, CERTIFICATE, DENIED, PATH, STATUS, FORMAT, LIMIT, DOWN)

_STATUS = re.compile(r"server returned HTTP status (\d{3})")
_LIMIT = re.compile(
    r"(?:sample|label|body size|bucket|target)[ _]?(?:name|value)?[ _]?(?:length)? ?limit exceeded", re.I
)
_FORMAT = re.compile(
    r"is not a valid start token|expected .{0,40} (?:got|after)|invalid metric type|unsupported Content-Type"
    r"|received unsupported|non-compliant .{0,40}Content-Type|text format parsing|data does not end with # EOF"
    r"|strconv\.ParseFloat|invalid UTF-8",
    re.I,
)
_KINDS = {
    FailureKind.REFUSED: REFUSED,
    FailureKind.NO_SUCH_HOST: NAME,
    FailureKind.TLS: CERTIFICATE,
    FailureKind.TIMED_OUT: SLOW,
    FailureKind.DEADLINE: SLOW,
}


def detect(case: Case) -> Iterator[Finding | Cleared]:
    for evidence, answer in case.read(ScrapeTargets):
        together: dict[tuple[str, str], list[ScrapeTarget]] = defaultdict(list)
        for target in answer.failing:
            together[target.job, cause_of(target.error).slug].append(target)
        for targets in together.values():
            yield _finding(evidence, answer, targets)
        up = sum(answer.up.values())
        if up and not answer.failing:
            yield Cleared(text=f"scrape targets ({up} up, none down)", evidence=(evidence,))


def cause_of(error: str) -> Cause:
    """What Prometheus' error means."""
    if status := _STATUS.search(error):
        code = int(status[1])
        if code in (401, 403):
            return DENIED
        return PATH if code == 404 else STATUS if code >= 500 else FORMAT
    if _LIMIT.search(error):
        return LIMIT
    if _FORMAT.search(error):
        return FORMAT
    said = failure(error)
    return _KINDS.get(said.kind, DOWN) if said else DOWN


def _finding(evidence: str, answer: ScrapeTargets, targets: Sequence[ScrapeTarget]) -> Finding:
    first = targets[0]
    cause = cause_of(first.error)
    down, up = answer.down.get(first.job, len(targets)), answer.up.get(first.job, 0)
    which = first.instance if len(targets) == 1 else plural(len(targets), "target")
    return found(
        cause,
        _subject(targets),
        LIKELY if cause is DOWN else CERTAIN,
        f"Prometheus cannot scrape {which} of job {first.job}: {quote(first.error) or 'it gives no reason'}",
        [
            because(f"job {first.job}: {down} of {down + up} targets down", evidence),
            *(because(f"{item.instance}: {quote(item.error)}", evidence) for item in targets[:3]),
        ],
        next_steps=[f"from where Prometheus runs: curl -sS {shlex.quote(first.url)}"] if first.url else (),
        explanation=f"{listed(item.instance for item in targets)}" if len(targets) > 1 else "",
    )


def _subject(targets: Sequence[ScrapeTarget]) -> Subject:
    """The pod where there is one, the service where all are of one, else the job."""
    namespaces = {item.labels.get("namespace", "") for item in targets}
    namespace = namespaces.pop() if len(namespaces) == 1 else ""
    for label, kind in (("pod", "Pod"), ("node", "Node"), ("service", "Service")):
        names = {item.labels.get(label, "") for item in targets}
        if len(names) == 1 and (name := names.pop()):
            return Subject(kind=kind, name=name, namespace="" if kind == "Node" else namespace)
    if len(targets) == 1:
        return Subject(kind="Endpoint", name=targets[0].instance)
    return Subject(kind="ScrapeJob", name=targets[0].job)
