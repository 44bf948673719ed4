"""A cluster to change, and the way to look at an action."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from responder.actions import Inquiry, Preview, load
from responder.clients import Clients
from responder.clients.kubernetes import LiveKubernetes
from responder.clock import SystemClock
from responder.metrics import Metrics
from responder.model.subject import Target
from responder.settings import KubernetesSettings
from tests.fakes.apiserver import serving
from tests.fakes.clients import FailingHttp
from tests.fakes.cluster import FakeCluster
from tests.makers import NOW, alert

CATALOG = load()
WEB = Target(namespace="shop", workload="deployment/web")


@dataclass
class Desk:
    """A cluster, and somebody who wants to change it."""

    cluster: FakeCluster
    clients: Clients

    async def preview(self, kind: str, target: Target = WEB, **options: Any) -> Preview:
        """What an action would do; nothing is changed by looking."""
        before = list(self.cluster.changed)
        found = await CATALOG.build(kind, options).preview(Inquiry(target, (alert(),), NOW, NOW), self.clients)
        assert self.cluster.changed == before
        return found

    async def apply(self, kind: str, target: Target = WEB, **options: Any) -> str:
        """Look, and do it."""
        found = await self.preview(kind, target, **options)
        assert not found.refusal, found.refusal
        assert self.cluster.tried, "a change is tried before it is made"
        return await CATALOG.build(kind, options).apply(found, self.clients, "Ada")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with serving(FakeCluster()) as cluster:
        assert isinstance(cluster, FakeCluster)
        settings = KubernetesSettings(kubeconfig=cluster.kubeconfig(tmp_path), cache="0s")  # type: ignore[arg-type]
        client = LiveKubernetes("", settings, Metrics(), SystemClock())
        yield Desk(cluster, Clients("", FailingHttp(), client))
        await client.close()


Make = Callable[..., Any]
