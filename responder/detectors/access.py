"""Access: rights that an account lacks, as the API server says in reviews and in what callers log."""

import re
from collections import defaultdict
from collections.abc import Iterator

from responder.detectors import Case
from responder.detectors._writing import CERTAIN, LIKELY, because, found, listed, plural, quote
from responder.model.access import Access
from responder.model.finding import Cause, Cleared, Finding
from responder.model.subject import Subject

MISSING = Cause(
    slug="access-right-missing",
    title="An account lacks a right",
    meaning="The API server does not let the account do what it is there for: a role lacks a rule, or the binding is "
    "missing, or names another account or namespace.",
    confirm="kubectl auth can-i VERB RESOURCE -n NAMESPACE --as=system:serviceaccount:NAMESPACE:NAME",
    fix="Add the rule to the role that is bound to the account, or bind one that has it",
    reference="https://kubernetes.io/docs/reference/access-authn-authz/rbac/",
)
CAUSES = (MISSING,)

# kubernetes, apiserver/pkg/endpoints/handlers/responsewriters/errors.go
_FORBIDDEN = re.compile(
    r'User "(?P<user>system:serviceaccount:[^"]+)" cannot (?P<verb>[a-z]+) resource "(?P<what>[^"]+)"'
    r' in API group "(?P<group>[^"]*)"(?: in the namespace "(?P<namespace>[^"]*)")?'
)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    for evidence, access in case.read(Access):
        where = f"in {access.namespace}" if access.namespace else "in the whole cluster"
        if access.missing:
            rights = listed(access.missing)
            yield found(
                MISSING,
                account_of(access.account),
                CERTAIN if access.by == "review" else LIKELY,
                f"{access.account} may not {rights} {where}",
                [because(f"{right}: no{f' ({quote(right.reason)})' if right.reason else ''}", evidence)
                 for right in access.missing[:5]],
                explanation="" if access.by == "review" else "Read from roles and bindings; another authorizer may "
                "grant more.",
            )  # fmt: skip
        elif access.rights and all(right.allowed for right in access.rights):
            many = plural(len(access.rights), "right")
            yield Cleared(text=f"access ({access.account} has the {many} it wants {where})", evidence=(evidence,))
    yield from _logged(case)


def _logged(case: Case) -> Iterator[Finding]:
    """Refusals that callers log in the API server's own words."""
    told: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for evidence, log in case.scene.logs:
        for text in dict.fromkeys((*(group.example for group in log.groups), *log.lines)):
            if said := _FORBIDDEN.search(text[:4000]):
                what = f"{said['what']}.{said['group']}" if said["group"] else said["what"]
                where = f" in {said['namespace']}" if said["namespace"] else " in the whole cluster"
                told[said["user"]].setdefault(f"{said['verb']} {what}{where}", (quote(text), evidence))
    for user, rights in told.items():
        yield found(
            MISSING,
            account_of(user),
            CERTAIN,
            f"{user} may not {listed(rights)}",
            [because(text, evidence) for text, evidence in list(rights.values())[:5]],
        )


def account_of(user: str) -> Subject:
    """A service account by its user name, else the user."""
    if user.startswith("system:serviceaccount:") and user.count(":") == 3:
        _, _, namespace, name = user.split(":")
        return Subject(kind="ServiceAccount", name=name, namespace=namespace)
    return Subject(kind="User", name=user)
