"""`kubernetes.ingress`: rules, services, endpoints, class, secrets."""

import json
from pathlib import Path
from typing import Any

from responder.clients import Clients
from responder.errors import Permanent, Reason
from responder.model.evidence import KubernetesObjects, Observation
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes.kubernetes_ingress import KubernetesIngress
from tests.detectors.test_ingress import NGINX, SECRET, SERVICE, TLS, endpoints, web
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.makers import NOW, alert


async def ask(kubernetes: FakeKubernetes, namespace: str = "shop", **options: Any) -> Observation:
    asked = Inquiry(Target(namespace=namespace), (alert(),), NOW, NOW)
    return await KubernetesIngress(**options).run(asked, Clients("", FailingHttp(), kubernetes))


async def test_all_well_says_so_with_numbers() -> None:
    seen = await ask(FakeKubernetes([web(), SERVICE, NGINX, endpoints(1)]))
    assert seen.summary == "1 ingress with 1 path, all lead to ready endpoints"
    assert seen.facts == ("ingress/web: class nginx, 1.2.3.4, no TLS",)
    assert (seen.value, seen.breached, seen.gaps) == (0, False, ())


async def test_a_path_to_nowhere_is_told() -> None:
    seen = await ask(FakeKubernetes([web("absent", ingress_class="gone"), SERVICE, NGINX]))
    assert "shop.example/api: service/absent does not exist and 1 more" in seen.summary
    assert "ingress/web: there is no IngressClass gone" in seen.facts
    assert (seen.value, seen.breached) == (1, True)


async def test_secrets_are_looked_at_only_where_that_is_asked() -> None:
    objects = [web(**TLS), SERVICE, NGINX, endpoints(1)]
    quiet = FakeKubernetes(objects)
    assert (await ask(quiet)).breached is False
    assert "secrets" not in quiet.asked
    missing = await ask(FakeKubernetes(objects), secrets=True)
    assert "ingress/web: secret/tls does not exist" in missing.facts
    assert (await ask(FakeKubernetes([*objects, SECRET]), secrets=True)).breached is False
    denied = FakeKubernetes(objects, troubles={"secrets": Permanent("forbidden", Reason.FORBIDDEN)})
    seen = await ask(denied, secrets=True)
    assert [gap.what for gap in seen.gaps] == ["secret tls"]
    assert seen.breached is False


def test_the_right_to_secrets_is_asked_for_only_where_they_are_looked_at() -> None:
    assert not any(right.resource == "secrets" for right in KubernetesIngress().permissions())
    (right,) = [right for right in KubernetesIngress(secrets=True).permissions() if right.resource == "secrets"]
    assert right.verbs == ("get",)


async def test_recorded_answers_are_read(shared: Path) -> None:
    folder = shared / "kubernetes" / "recordings" / "list"
    objects = []
    for kind in ("ingresses", "services", "endpoints"):
        recorded = json.loads((folder / f"{kind}.json").read_text())["body"]
        objects += [{"kind": recorded["kind"].removesuffix("List"), **item} for item in recorded["items"]]
    seen = await ask(FakeKubernetes(objects), "kubechat-system")
    assert "1 ingress with 2 paths" in seen.summary
    assert seen.value == 0
    assert isinstance(seen.data, KubernetesObjects)
