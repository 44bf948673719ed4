"""What the detectors of database servers share: whom a finding is about, and who did not answer."""

from collections.abc import Collection, Iterator, Mapping

from responder.detectors import Case
from responder.model.datastore import SILENT, Server
from responder.model.evidence import Evidence
from responder.model.failures import FailureKind, failure
from responder.model.finding import Cause, Finding
from responder.model.subject import Subject


def cause(
    slug: str,
    title: str,
    meaning: str,
    confirm: str,
    fix: str,
    *,
    symptom_of: tuple[str, ...] = (),
) -> Cause:
    """An entry of the catalogue."""
    return Cause(slug=slug, title=title, meaning=meaning, confirm=confirm, fix=fix, symptom_of=symptom_of)


def subject(case: Case, server: Server) -> Subject:
    """The workload behind the host, else its service, else the server by the name that the settings give it."""
    graph = case.scene.graph
    if service := graph.service(server.host):
        behind = graph.workloads_behind(service)
        return behind[0].subject if behind else service.subject
    return Subject(kind="Database", name=server.name or server.place)


def with_callers(case: Case, server: Server, finding: Finding, stopping: Collection[Cause]) -> Finding:
    """The finding; where its cause stops those that call the server, with who of them is unwell or complains of it."""
    if all(finding.cause != known.slug for known in stopping):
        return finding
    scene = case.scene
    service = scene.graph.service(server.host)
    name = service.name if service else server.host
    complaining = {item.workload for item in scene.complaints if item.failure.host.partition(".")[0] == name}
    callers = {
        item.owner.subject: None
        for item in scene.graph.callers.get(name, ())
        if item.owner.subject != finding.subject and (item.owner.subject in complaining or scene.ails(item.owner))
    }
    return finding.model_copy(update={"suffering": tuple(callers)})


def unanswered(case: Case, probe: str, product: str) -> Iterator[tuple[Server, Evidence]]:
    """The servers that a probe got no answer of, each once, with the evidence that says why."""
    seen: set[Server] = set()
    for evidence in case.evidence.values():
        server = Server.named_in(evidence.summary) if evidence.probe == probe and not evidence.answered else None
        if server and server.product == product and server not in seen:
            seen.add(server)
            yield server, evidence


def refused(evidence: Evidence) -> bool:
    """Whether the host said that nobody listens there, rather than nothing at all."""
    found = failure(evidence.summary)
    return found is not None and found.kind is FailureKind.REFUSED


def silent(evidence: Evidence) -> bool:
    """Whether the server took the connection and said nothing."""
    return SILENT in evidence.summary


def complained(case: Case, about: Subject, kind: FailureKind) -> Mapping[str, str]:
    """What others log of a kind, by evidence: only where the subject is the namespace's own."""
    if about.namespace != case.scene.namespace:
        return {}
    return {item.evidence: item.failure.text for item in case.scene.complaints if item.failure.kind is kind}
