"""`kubernetes.access`: who may do what."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator

from responder.clients import Clients, Kubernetes
from responder.errors import Permanent, Reason, Trouble
from responder.model.access import Access, Right, grants, groups_of, rules_of
from responder.model.evidence import Observation, Reproduction
from responder.model.kubernetes import Object
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import WORKLOADS, Gathering, Question, find_workload, place, reads
from responder.templating import KubeName, Plain

_RBAC = "rbac.authorization.k8s.io"
_DENIED = (Reason.FORBIDDEN, Reason.NOT_FOUND)


class KubernetesAccess(Probe):
    """Whether an account has the rights that it wants, as `kubectl auth can-i` says; `value` is how many are missing.

    The account is `service_account`, `user`, Responder itself (`own`), else that of the target's workload. Reviews
    change nothing. Where Responder may not ask for one, roles and bindings are read, and the evidence says so.
    """

    wants: tuple[Plain, ...] = Field(min_length=1, description="rights, as `list pods`, `patch deployments.apps/scale`")
    service_account: KubeName = Field("", description="a service account of the namespace")
    user: Plain = Field("", description="a user, as `system:serviceaccount:shop:web`")
    groups: tuple[Plain, ...] = Field((), description="groups that the user is in, beside those of its name")
    own: bool = Field(False, description="ask about Responder's own account")
    workload: KubeName = ""
    namespace: KubeName = ""
    cluster: bool = Field(False, description="whether the rights are wanted in the whole cluster")

    @field_validator("wants")
    @classmethod
    def _rights(cls, wants: tuple[str, ...]) -> tuple[str, ...]:
        for text in wants:
            if "{{" not in text:
                Right.parse(text)
        return wants

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        where = place(inquiry, self.namespace, self.workload)
        namespace = "" if self.cluster else where.namespace
        rights = [Right.parse(text) for text in self.wants]
        account = "" if self.own else await self._account(inquiry, clients.kubernetes)
        groups = (*self.groups, *groups_of(account))
        try:
            judged = await self._reviewed(clients.kubernetes, account, groups, namespace, rights)
            data = Access(account=account or "responder", namespace=namespace, rights=tuple(judged))
            found = None
        except Permanent as trouble:
            if self.own or trouble.reason not in _DENIED:
                raise
            found = await _roles(inquiry, clients.kubernetes, namespace)
            rules = list(rules_of(found.objects, account, groups, namespace))
            judged = [right.model_copy(update={"allowed": grants(rules, right)}) for right in rights]
            data = Access(account=account, namespace=namespace, by="roles", rights=tuple(judged))
        missing = data.missing
        inside = f"in {namespace}" if namespace else "in the whole cluster"
        verdict = f"not {', '.join(map(str, missing))}" if missing else "all of them granted"
        how = "" if data.by == "review" else " (read from roles and bindings: reviews are not allowed)"
        return Observation(
            summary=f"{data.account} {inside}: {len(rights) - len(missing)} of {len(rights)} rights, {verdict}{how}",
            data=data,
            facts=tuple(f"{right}: {'yes' if right.allowed else 'no'}{_why(right)}" for right in data.rights),
            value=float(len(missing)),
            breached=bool(missing),
            gaps=tuple(found.gaps) if found else (),
            truncated="; ".join(found.truncated) if found else "",
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = place(inquiry, self.namespace, self.workload).namespace
        account = self.user or (f"system:serviceaccount:{namespace}:{self.service_account}" if namespace else "")
        who = ["--as", account] if account and not self.own and (self.user or self.service_account) else []
        inside = ["-n", namespace] if namespace and not self.cluster else []
        return tuple(
            Reproduction(command=clients.kubernetes.kubectl(*inside, "auth", "can-i", *text.split(), *who))
            for text in self.wants
        )

    def permissions(self) -> tuple[Permission, ...]:
        review = "authorization.k8s.io"
        if self.own:
            return (Permission(review, "selfsubjectaccessreviews", ("create",)),)
        looked = () if self.user or self.service_account else reads("pods", *WORKLOADS.values())
        return (
            Permission(review, "subjectaccessreviews", ("create",)),
            Permission(review, "localsubjectaccessreviews", ("create",)),
            *reads(*(f"{name}.{_RBAC}" for name in ("roles", "rolebindings", "clusterroles", "clusterrolebindings"))),
            *looked,
        )

    async def _account(self, inquiry: Inquiry, kubernetes: Kubernetes) -> str:
        """The user name of the account that is asked about."""
        if self.user:
            return self.user
        where = place(inquiry, self.namespace, self.workload)
        name = self.service_account
        if not name:
            workload = Object(await find_workload(kubernetes, where))
            name = str(workload.template.get("serviceAccountName") or "default")
        if not where.namespace:
            raise Permanent("a service account needs its namespace: set the option namespace", Reason.BAD_REQUEST)
        return f"system:serviceaccount:{where.namespace}:{name}"

    async def _reviewed(
        self, kubernetes: Kubernetes, account: str, groups: Sequence[str], namespace: str, rights: Sequence[Right]
    ) -> Sequence[Right]:
        """The rights as the API server judges them; a local review is asked for where the wide one is not allowed."""
        kinds = ["SubjectAccessReview", "LocalSubjectAccessReview"] if account else ["SelfSubjectAccessReview"]
        who: dict[str, Any] = {"user": account, "groups": list(groups)} if account else {}
        for kind in kinds:
            if kind.startswith("Local") and (not namespace or any(right.path for right in rights)):
                continue
            try:
                answers = await asyncio.gather(
                    *(
                        kubernetes.review(kind, {**who, **_attributes(right, namespace)}, namespace=namespace)
                        for right in rights
                    )
                )
            except Trouble as trouble:
                if trouble.reason not in _DENIED:
                    raise
                denied = trouble
                continue
            return [_judged(right, answer) for right, answer in zip(rights, answers, strict=True)]
        raise denied


def _attributes(right: Right, namespace: str) -> Mapping[str, Any]:
    """What a review asks (authorization.k8s.io/v1, ResourceAttributes and NonResourceAttributes)."""
    if right.path:
        return {"nonResourceAttributes": {"verb": right.verb, "path": right.path}}
    wanted = {
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
        "name": right.name,
        "namespace": namespace,
    }
    return {"resourceAttributes": {name: value for name, value in wanted.items() if value}}


def _judged(right: Right, status: Mapping[str, Any]) -> Right:
    reason = str(status.get("reason") or status.get("evaluationError") or "")[:256]
    return right.model_copy(update={"allowed": bool(status.get("allowed")), "reason": reason})


async def _roles(inquiry: Inquiry, kubernetes: Kubernetes, namespace: str) -> Gathering:
    """The roles and bindings that count in a namespace; raises where one kind of them cannot be read."""
    found = Gathering(kubernetes, inquiry)
    questions = [Question(f"clusterroles.{_RBAC}"), Question(f"clusterrolebindings.{_RBAC}")]
    if namespace:
        questions += [Question(f"roles.{_RBAC}", namespace), Question(f"rolebindings.{_RBAC}", namespace)]
    await found.ask(*questions)
    if found.gaps or not found.objects:
        said = found.gaps[0].message if found.gaps else "there are no roles"
        message = f"access can neither be reviewed nor read from roles and bindings: {said}"
        raise Permanent(message[:300], found.gaps[0].reason if found.gaps else Reason.NOT_FOUND)
    return found


def _why(right: Right) -> str:
    return f" ({right.reason})" if right.reason else ""
