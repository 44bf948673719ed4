"""Access: what is missing, in the API server's words or by the roles."""

from responder.detectors import Case, access
from responder.errors import Reason
from responder.model.access import Access, Right
from responder.model.evidence import ContainerLog, EvidenceStatus, Logs
from responder.model.finding import Confidence
from responder.model.subject import Target
from tests.detectors import cases
from tests.makers import NOW, alert, evidence

ACCOUNT = "system:serviceaccount:shop:operator"
REFUSED = (
    'E0304 reflector.go: failed to list *v1.Pod: pods is forbidden: User "system:serviceaccount:shop:operator" cannot '
    'list resource "pods" in API group "" in the namespace "shop"'
)


def case(*answers: Access | Logs) -> Case:
    seen = {f"e{number}": evidence(f"e{number}", answer) for number, answer in enumerate(answers)}
    return Case(Target(namespace="shop"), (alert(),), NOW, NOW, seen)


def judged(*granted: bool, by: str = "review") -> Access:
    rights = tuple(Right(verb="list", resource=f"things{n}", allowed=may) for n, may in enumerate(granted))
    return Access(account=ACCOUNT, namespace="shop", by=by, rights=rights)


def test_a_denied_review_is_certain_and_roles_are_likely() -> None:
    for by, confidence in (("review", Confidence.CERTAIN), ("roles", Confidence.LIKELY)):
        (finding,) = cases.findings(access.detect, case(judged(True, False, by=by)))
        assert (finding.cause, finding.confidence) == ("access-right-missing", confidence)
        assert str(finding.subject) == "serviceaccount/operator"
        assert finding.headline == f"{ACCOUNT} may not list things1 in shop"


def test_all_rights_granted_is_cleared_with_their_number() -> None:
    assert cases.findings(access.detect, case(judged(True, True))) == []
    assert cases.cleared(access.detect, case(judged(True, True))) == [
        f"access ({ACCOUNT} has the 2 rights it wants in shop)"
    ]


def test_a_right_that_nobody_could_judge_is_neither() -> None:
    unknown = Access(account=ACCOUNT, rights=(Right(verb="get", resource="pods"),))
    assert list(access.detect(case(unknown))) == []


def log(*lines: str) -> Logs:
    return Logs(logs=(ContainerLog(namespace="shop", pod="operator-1", container="operator", lines=lines),))


def test_what_a_caller_logs_in_the_servers_words_is_certain() -> None:
    (finding,) = cases.findings(access.detect, case(log(REFUSED, REFUSED, "fine")))
    assert finding.confidence is Confidence.CERTAIN
    assert finding.headline == f"{ACCOUNT} may not list pods in shop"
    assert len(finding.because) == 1


def test_other_refusals_are_not_the_api_servers() -> None:
    assert list(access.detect(case(log("403 Forbidden", 'User "bob" cannot open the door')))) == []


def test_a_question_that_was_denied_concludes_nothing() -> None:
    denied = evidence("e", status=EvidenceStatus.DENIED, reason=Reason.FORBIDDEN, summary="no")
    assert list(access.detect(Case(Target(), (), NOW, NOW, {"e": denied}))) == []
