"""Who may do what: rights, and what roles and bindings grant (Kubernetes, reference/access-authn-authz/rbac)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from responder.model.evidence import Shape
from responder.model.kubernetes import mapping, mappings, string
from responder.model.record import Record

_WANT = re.compile(r"(?P<verb>[a-z*]+)\s+(?P<what>[^\s]+)(?:\s+(?P<name>[^\s]+))?")
_RESOURCE = re.compile(r"(?P<resource>[a-z0-9*-]+)(?:\.(?P<group>[a-z0-9.*-]+))?(?:/(?P<sub>[a-z*]+))?")


class Right(Record):
    """A verb on a resource (or on a path of the API), and whether it is granted; None where nobody could tell."""

    verb: str
    resource: str = ""
    group: str = ""
    subresource: str = ""
    name: str = ""
    path: str = ""
    allowed: bool | None = None
    reason: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `list pods`, `patch deployments.apps/scale api`, `get /metrics`; raises ValueError."""
        found = _WANT.fullmatch(text.strip())
        if found and found["what"].startswith("/") and not found["name"]:
            return cls(verb=found["verb"], path=found["what"])
        what = _RESOURCE.fullmatch(found["what"]) if found else None
        if found is None or what is None:
            raise ValueError(f"{text[:80]!r} is no right: write it as 'list pods' or 'patch deployments.apps/scale'")
        return cls(
            verb=found["verb"],
            resource=what["resource"],
            # `*` alone means every resource of every group, as kubectl has it
            group="*" if what["resource"] == "*" and not what["group"] else what["group"] or "",
            subresource=what["sub"] or "",
            name=found["name"] or "",
        )

    def __str__(self) -> str:
        if self.path:
            return f"{self.verb} {self.path}"
        what = f"{self.resource}.{self.group}" if self.group and self.resource != "*" else self.resource
        what += f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} {what}{f' {self.name}' if self.name else ''}"


class Access(Shape):
    """What an account may do; `namespace` is empty for the whole cluster.

    `by` is `review` where the API server judged, `roles` where only roles and bindings were read: another authorizer
    may grant more.
    """

    account: str
    namespace: str = ""
    by: str = "review"
    rights: tuple[Right, ...] = ()

    @property
    def missing(self) -> tuple[Right, ...]:
        """The rights that are not granted."""
        return tuple(right for right in self.rights if right.allowed is False)


def groups_of(account: str) -> tuple[str, ...]:
    """The groups that an account is in by its name: those of a service account, else of everybody who logged in."""
    if account.startswith("system:serviceaccount:") and account.count(":") == 3:
        namespace = account.split(":")[2]
        return "system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"
    return ("system:authenticated",)


def rules_of(
    objects: Iterable[Mapping[str, Any]], account: str, groups: Sequence[str], namespace: str
) -> Iterator[Mapping[str, Any]]:
    """The rules that bindings among the objects give an account in a namespace ("" for the whole cluster)."""
    objects = list(objects)
    roles = {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"].get("name", "")): item
        for item in objects
        if item["kind"] in ("Role", "ClusterRole")
    }
    for binding in objects:
        here = binding["metadata"].get("namespace", "")
        wide = binding["kind"] == "ClusterRoleBinding"
        if not wide and not (binding["kind"] == "RoleBinding" and namespace and here == namespace):
            continue
        if not any(_is(subject, account, groups, here) for subject in mappings(binding.get("subjects"))):
            continue
        named = mapping(binding.get("roleRef"))
        place = here if named.get("kind") == "Role" else ""
        role = roles.get((string(named.get("kind")), place, string(named.get("name"))))
        yield from mappings((role or {}).get("rules"))


def grants(rules: Iterable[Mapping[str, Any]], right: Right) -> bool:
    """Whether one of the rules grants the right."""
    return any(_grants(rule, right) for rule in rules)


def _grants(rule: Mapping[str, Any], right: Right) -> bool:
    if not _among(rule.get("verbs"), right.verb):
        return False
    if right.path:
        paths = rule.get("nonResourceURLs") or ()
        return any(right.path == path or (path.endswith("*") and right.path.startswith(path[:-1])) for path in paths)
    resources = rule.get("resources") or ()
    wanted = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
    fits = "*" in resources or wanted in resources or (right.subresource and f"*/{right.subresource}" in resources)
    names = rule.get("resourceNames") or ()
    return bool(fits) and _among(rule.get("apiGroups"), right.group) and (not names or right.name in names)


def _among(values: Any, wanted: str) -> bool:
    return "*" in (values or ()) or wanted in (values or ())


def _is(subject: Mapping[str, Any], account: str, groups: Sequence[str], namespace: str) -> bool:
    kind, name = subject.get("kind"), string(subject.get("name"))
    if kind == "ServiceAccount":
        return account == f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
    return (kind == "User" and name == account) or (kind == "Group" and name in groups)
