"""What could not be seen is said once for questions that failed alike."""

from responder.detectors import Case, Detectors
from responder.errors import Reason
from responder.flow.diagnose import diagnose
from responder.model.evidence import Evidence, EvidenceStatus, Gap
from responder.model.finding import Unseen
from responder.model.runbook import Runbook
from responder.model.subject import Target
from tests.makers import NOW, evidence

RUNBOOK = Runbook.model_validate(
    {"apiVersion": "responder/v1", "kind": "Runbook", "metadata": {"name": "x", "title": "X"}, "match": ["{}"]}
)


def unseen(*items: Evidence) -> tuple[Unseen, ...]:
    case = Case(Target(), (), NOW, NOW, {item.id: item for item in items})
    return diagnose(case, RUNBOOK, Detectors({}, {})).unseen


def failed(name: str, summary: str, reason: Reason = Reason.UNREACHABLE) -> Evidence:
    return evidence(name, status=EvidenceStatus.ERROR, reason=reason, summary=summary, title=name.capitalize())


def test_a_server_that_is_down_is_one_line_with_the_questions_it_left_open() -> None:
    (line,) = unseen(*(failed(f"step{n}", f"Prometheus is down; asked again in {n} s") for n in range(5)))
    expected = "Step0, Step1, Step2 and 2 more: Prometheus is down; asked again in 0 s"
    assert line.text.startswith(expected)
    assert line.text.endswith("check the address and the network")
    assert line.evidence == tuple(f"step{n}" for n in range(5))


def test_different_troubles_are_lines_of_their_own() -> None:
    lines = unseen(
        failed("a", "Loki is down"),
        failed("b", "Redis is down"),
        failed("c", "Loki is down", Reason.UNAUTHORIZED),
        evidence("d", gaps=(Gap(what="secrets", reason=Reason.FORBIDDEN, message="forbidden"),), truncated="9 more"),
        evidence("e", status=EvidenceStatus.SKIPPED, summary="not asked"),
    )
    assert [line.text.partition(":")[0] for line in lines] == ["A", "B", "C", "secrets", "d"]


def test_a_rule_that_clears_cites_the_evidence_that_it_names_and_no_other_whose_name_begins_alike() -> None:
    rules = [{"when": "evidence.postgres_logs.status == 'empty'", "cleared": "the log"}]
    runbook = RUNBOOK.model_validate({**RUNBOOK.model_dump(by_alias=True), "diagnose": rules})
    items = (evidence("postgres_logs", status=EvidenceStatus.EMPTY), failed("postgres", "no answer"))
    case = Case(Target(), (), NOW, NOW, {item.id: item for item in items})
    (cleared,) = diagnose(case, runbook, Detectors({}, {})).cleared
    assert cleared.evidence == ("postgres_logs",)


def test_what_was_read_in_part_rules_nothing_out() -> None:
    rules = [{"when": "evidence.logs.value == 0.0", "cleared": "no errors"}]
    runbook = RUNBOOK.model_validate({**RUNBOOK.model_dump(by_alias=True), "diagnose": rules})
    for item, count in (
        (evidence("logs", value=0.0), 1),
        (evidence("logs", value=0.0, truncated="40 more logs were not read"), 0),
        (evidence("logs", value=0.0, gaps=(Gap(what="log of api", reason=Reason.TIMEOUT),)), 0),
    ):
        case = Case(Target(), (), NOW, NOW, {"logs": item})
        assert len(diagnose(case, runbook, Detectors({}, {})).cleared) == count


def test_a_follow_up_for_what_the_cluster_does_not_have_is_not_missed() -> None:
    assert not unseen(failed("gateways", "not there", Reason.NOT_FOUND).model_copy(update={"asked_because": "maybe"}))
    assert unseen(failed("gateways", "may not", Reason.FORBIDDEN).model_copy(update={"asked_because": "maybe"}))
    assert unseen(failed("gateways", "not there", Reason.NOT_FOUND))
