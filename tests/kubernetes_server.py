"""A real API server with etcd, from the folder that `KUBEBUILDER_ASSETS` names, as the field's tools have it.

There are no controllers and no kubelet: objects stay as they are created, and their status is what a test
writes. The server runs for the whole session; a test works in namespaces of its own.
"""

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port

READY_WITHIN = 60.0
STOPPED_WITHIN = 10.0
USERS = {"admin": "system:masters", "viewer": "viewers", "nobody": "strangers"}


@dataclass(frozen=True)
class RealApiServer:
    """The server; a user's token is the user's name with `-token`."""

    url: str
    authority: Path

    def kubeconfig(self, folder: Path, user: str = "admin") -> Path:
        """A kubeconfig for one of USERS; any other name has a token that the server does not know."""
        file = folder / f"kubeconfig-{user}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "clusters": [
                {"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.authority)}}
            ],
            "users": [{"name": user, "user": {"token": f"{user}-token"}}],
        }
        file.write_text(json.dumps(config))
        return file

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST an object as admin."""
        return self.send("POST", path, body)

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request as admin; raises HTTPError."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": "Bearer admin-token", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        context = ssl.create_default_context(cafile=str(self.authority))
        with urllib.request.urlopen(request, timeout=10, context=context) as response:
            answer: dict[str, Any] = json.loads(response.read())
            return answer

    @property
    def ready(self) -> bool:
        """Whether it answers, with its bootstrap roles in place."""
        if not self.authority.exists():
            return False
        try:
            self.send("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/view")
            self.send("GET", "/api/v1/namespaces/default")
        except (OSError, ssl.SSLError, ValueError):
            return False
        return True


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealApiServer]:
    """The server, started once; skips where there is none to start."""
    assets = Path(os.environ.get("KUBEBUILDER_ASSETS", ""))
    if not os.environ.get("KUBEBUILDER_ASSETS"):
        pytest.skip("KUBEBUILDER_ASSETS names no folder with kube-apiserver and etcd")
    for name in ("etcd", "kube-apiserver"):
        if not (assets / name).exists():
            pytest.skip(f"{assets} (KUBEBUILDER_ASSETS) has no {name}")
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: apt-get install --no-install-recommends openssl")
    folder = tmp_path_factory.mktemp("kubernetes")
    with ExitStack() as stack:
        etcd = start_etcd(stack, assets, folder)
        server, process = start_server(stack, assets, folder, etcd)
        deadline = time.monotonic() + READY_WITHIN
        while not server.ready:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"kube-apiserver did not come up:\n{(folder / 'kube-apiserver.log').read_text()[-2000:]}")
            time.sleep(0.1)
        yield server


def start_etcd(stack: ExitStack, assets: Path, folder: Path) -> str:
    """Start etcd; its address."""
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [
        *(str(assets / "etcd"), "--data-dir", str(folder / "etcd"), "--log-level", "warn"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"),
    ]
    stack.enter_context(running(command, folder / "etcd.log"))
    return client


def start_server(
    stack: ExitStack, assets: Path, folder: Path, etcd: str
) -> tuple[RealApiServer, "subprocess.Popen[bytes]"]:
    """Start the API server, on loopback alone."""
    port, key, tokens = free_port(), folder / "accounts.key", folder / "tokens.csv"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    tokens.write_text("".join(f'{user}-token,{user},{user},"{group}"\n' for user, group in USERS.items()))
    command = [
        *(str(assets / "kube-apiserver"), "--etcd-servers", etcd, "--cert-dir", str(folder / "certificates")),
        *("--bind-address", "127.0.0.1", "--secure-port", str(port), "--advertise-address", "127.0.0.1"),
        *("--endpoint-reconciler-type", "none", "--service-cluster-ip-range", "10.96.0.0/16"),
        *("--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", str(key)),
        *("--service-account-signing-key-file", str(key), "--disable-admission-plugins", "ServiceAccount"),
        *("--authorization-mode", "RBAC", "--token-auth-file", str(tokens)),
    ]
    process = stack.enter_context(running(command, folder / "kube-apiserver.log"))
    return RealApiServer(f"https://127.0.0.1:{port}", folder / "certificates" / "apiserver.crt"), process


@contextmanager
def running(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is ended afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
