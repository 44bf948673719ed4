"""Containers that do not begin."""

# ruff: noqa: E501 - messages as they are written

from tests.insurer import lines
from tests.insurer.fault import DB, callers_of_database_fail, container, fault, fresh
from tests.insurer.system import System


def _pull(system: System, app: str, reason: str, said: str, image: str) -> None:
    container(system, app)["image"] = image
    fresh(system, app)
    pod = system.waiting(app, reason, f'Back-off pulling image "{image}"')
    system.event("Pod", pod["metadata"]["name"], "Failed", f'Failed to pull image "{image}": {said}', count=3)
    system.event("Pod", pod["metadata"]["name"], "Failed", "Error: ErrImagePull", count=3)


@fault("incorrect-image-reference", "no such tag")
def _(system: System, app: str) -> None:
    image = "registry.example.com/insurer/claim:1.4.99"
    _pull(
        system,
        app,
        "ImagePullBackOff",
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found',
        image,
    )


@fault("incorrect-image-reference", "malformed")
def _(system: System, app: str) -> None:
    container(system, app)["image"] = "registry.example.com/Insurer/claim::1"
    fresh(system, app)
    system.waiting(
        app,
        "InvalidImageName",
        'Failed to apply default image tag "registry.example.com/Insurer/claim::1": couldn\'t parse image name: invalid reference format',
    )


@fault("image-registry-dns-failure", "no such host")
def _(system: System, app: str) -> None:
    image = "registry.exampel.com/insurer/claim:1.4.2"
    _pull(
        system,
        app,
        "ErrImagePull",
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": failed to do request: Head "https://registry.exampel.com/v2/insurer/claim/manifests/1.4.2": dial tcp: lookup registry.exampel.com on 10.0.0.2:53: no such host',
        image,
    )


@fault("missing-image-pull-secret", "unauthorized")
def _(system: System, app: str) -> None:
    image = "registry.example.com/insurer/claim:1.4.2"
    _pull(
        system,
        app,
        "ImagePullBackOff",
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": unexpected status from HEAD request to https://registry.example.com/v2/insurer/claim/manifests/1.4.2: 401 Unauthorized',
        image,
    )


@fault("missing-image-pull-secret", "the secret is absent")
def _(system: System, app: str) -> None:
    image = "registry.example.com/insurer/claim:1.4.2"
    system.template(app)["imagePullSecrets"] = [{"name": "regcred"}]
    _pull(
        system,
        app,
        "ImagePullBackOff",
        f'failed to resolve reference "{image}": failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden',
        image,
    )
    system.event(
        "Pod",
        system.pod_name(app),
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
    )


@fault("missing-secret-binding", "a secret in the environment")
def _(system: System, app: str) -> None:
    container(system, app)["envFrom"] = [{"secretRef": {"name": "claim-credentials"}}]
    fresh(system, app)
    system.waiting(app, "CreateContainerConfigError", 'secret "claim-credentials" not found')


@fault("missing-secret-binding", "a key of a secret")
def _(system: System, app: str) -> None:
    container(system, app)["env"].append(
        {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "db-login", "key": "apikey"}}}
    )
    fresh(system, app)
    system.waiting(app, "CreateContainerConfigError", f"couldn't find key apikey in Secret {system.namespace}/db-login")


@fault("missing-secret-binding", "a secret that is mounted")
def _(system: System, app: str) -> None:
    system.template(app)["volumes"] = [{"name": "tls", "secret": {"secretName": "claim-tls"}}]
    fresh(system, app)
    pod = system.waiting(app, "ContainerCreating", "")
    system.event(
        "Pod",
        pod["metadata"]["name"],
        "FailedMount",
        'MountVolume.SetUp failed for volume "tls" : secret "claim-tls" not found',
        count=7,
    )


@fault("missing-config-map", "in the environment")
def _(system: System, app: str) -> None:
    container(system, app)["envFrom"] = [{"configMapRef": {"name": "claim-settings"}}]
    fresh(system, app)
    system.waiting(app, "CreateContainerConfigError", 'configmap "claim-settings" not found')


@fault("volume-mount-permission-denied", "Java may not write")
def _(system: System, app: str) -> None:
    system.template(app)["volumes"] = [{"name": "files", "emptyDir": {}}]
    container(system, app)["volumeMounts"] = [{"name": "files", "mountPath": "/var/lib/claims"}]
    pod = fresh(system, app)
    system.crashing(app)
    said = lines.failed(
        lines.spring("ERROR", "Application run failed", "o.s.boot.SpringApplication", "main"),
        "org.springframework.beans.factory.BeanCreationException: Error creating bean with name 'store'",
        "java.nio.file.AccessDeniedException: /var/lib/claims/store.lock",
    )
    system.say(pod, app, said, previous=True)


@fault("volume-mount-permission-denied", "MySQL may not write", **DB)
def _(system: System, app: str) -> None:
    pod = fresh(system, "db", "StatefulSet")
    system.crashing("db")
    said = [
        "2026-03-04T02:59:11.0Z 1 [ERROR] [MY-012592] [InnoDB] Operating system error number 13 in a file operation.",
        "2026-03-04T02:59:11.0Z 1 [ERROR] [MY-012595] [InnoDB] The error means mysqld does not have the access rights to the directory.",
        "mysqld: Can't create/write to file '/var/lib/mysql/is_writable' (OS errno 13 - Permission denied)",
    ]
    system.say(pod, "mysql", said, previous=True)
    callers_of_database_fail(system)
