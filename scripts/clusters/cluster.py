"""A cluster's API, through `kubectl proxy`, and its objects as `kubectl get -o json` prints them."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"


class Cluster:
    """What the recording asks of the API server."""

    def __init__(self, kubeconfig: Path, session: aiohttp.ClientSession) -> None:
        self.kubeconfig, self._session = kubeconfig, session

    async def get(self, path: str) -> dict[str, Any]:
        async with self._session.get(path) as response:
            response.raise_for_status()
            answer: dict[str, Any] = await response.json()
            return answer

    async def send(self, method: str, path: str, body: object, *, kind: str = "application/json") -> None:
        """Create, patch or delete; what is gone or changed meanwhile is taken up again by the next step."""
        async with self._session.request(
            method, path, data=json.dumps(body), headers={"Content-Type": kind}
        ) as response:
            if response.status >= 400 and response.status not in (404, 409):
                raise RuntimeError(f"{method} {path}: {response.status} {await response.text()}")

    async def patch(self, path: str, body: object, *, kind: str = STRATEGIC) -> None:
        await self.send("PATCH", path, body, kind=kind)

    async def kubectl(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            kubectl(), "--kubeconfig", str(self.kubeconfig), *arguments, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)} failed")
        return output.decode()


def kubectl() -> str:
    """The kubectl beside the API server's binary, or the one on PATH."""
    beside = Path(os.environ.get("KUBEBUILDER_ASSETS", "")) / "kubectl"
    return str(beside) if beside.is_file() else "kubectl"


@asynccontextmanager
async def connect(kubeconfig: Path) -> AsyncIterator[Cluster]:
    """The cluster that a kubeconfig names."""
    proxy = await asyncio.create_subprocess_exec(
        kubectl(), "--kubeconfig", str(kubeconfig), "proxy", "--port=0", stdout=asyncio.subprocess.PIPE
    )
    assert proxy.stdout
    address = (await proxy.stdout.readline()).decode().split()[-1]
    try:
        async with aiohttp.ClientSession(f"http://{address}") as session:
            yield Cluster(kubeconfig, session)
    finally:
        proxy.terminate()
        await proxy.wait()
