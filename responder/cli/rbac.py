"""`responder rbac`: the rights in Kubernetes that the loaded runbooks need."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

import responder.actions
import responder.detectors
import responder.probes
from responder import plugins
from responder.actions import Action
from responder.app import variables_of
from responder.cli.serve import ConfigOption
from responder.flow.permit import hindrance
from responder.model.action import EVERYWHERE
from responder.model.runbook import Runbook
from responder.plugins import Catalog
from responder.probes import Probe
from responder.runbooks.loading import load, shipped
from responder.runbooks.rights import EXEC, Rights, rights_of, rights_of_actions
from responder.settings import Settings
from responder.settings import load as load_settings

_API = "rbac.authorization.k8s.io"
Manifest = dict[str, Any]


def rbac(
    runbooks: Annotated[
        list[Path] | None, typer.Option("--runbooks", help="A folder of runbooks, after those that are shipped.")
    ] = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", "-n", help="Print Roles for this namespace instead of rights in all of them."),
    ] = None,
    account: Annotated[
        str, typer.Option(help="The service account of Responder, as NAMESPACE/NAME.")
    ] = "responder/responder",
    config: ConfigOption = None,
) -> None:
    """Print the roles that the loaded runbooks need, for kubectl apply -f -."""
    home, _, name = account.partition("/")
    if not home or not name:
        raise typer.BadParameter(f"{account!r} is not NAMESPACE/NAME", param_hint="--account")
    settings = load_settings(config) if config else Settings()
    probes = plugins.load(responder.probes, Probe, "probe", dotted=True)
    folders = [shipped(), *settings.rules, *(runbooks or [])]
    detectors = responder.detectors.load()
    known = load(folders, probes, detectors, variables_of(settings)).runbooks.values()
    acting = _acting(settings, known, responder.actions.load())
    rights = rights_of(known, probes, detectors.reads).with_reads_of(acting)
    for line in (*remarks(rights, settings, namespace or ()), *acting.remarks):
        typer.echo(f"# {line}")
    roles = [
        *manifests(rights, settings, name, home, namespace or ()),
        *changing(acting.changes, settings.actions.namespaces, name, home),
    ]
    typer.echo(yaml.safe_dump_all(roles, sort_keys=False), nl=False)


def rights_needed(
    settings: Settings,
    runbooks: Collection[Runbook],
    probes: Catalog[Probe],
    actions: Catalog[Action],
    detectors: responder.detectors.Detectors,
) -> Rights:
    """What the runbooks read, and what the actions change that the settings allow."""
    acting = _acting(settings, runbooks, actions)
    reading = rights_of(runbooks, probes, detectors.reads)
    return Rights(reading.needed | acting.needed, (*reading.remarks, *acting.remarks))


def _acting(settings: Settings, runbooks: Collection[Runbook], actions: Catalog[Action]) -> Rights:
    return rights_of_actions(runbooks, actions, lambda proposal: not hindrance(settings.actions, None, proposal))


def manifests(
    rights: Rights, settings: Settings, name: str, home: str, namespaces: Sequence[str] = ()
) -> Iterator[Manifest]:
    """Roles with their bindings: for the whole cluster, or for some namespaces and what has none."""
    who = [{"kind": "ServiceAccount", "name": name, "namespace": home}]
    wide = rights.rules(namespaced=False if namespaces else None)
    if wide:
        yield from _pair("Cluster", f"{name}-read", "", wide, who)
    inside = rights.rules(namespaced=True)
    for namespace in namespaces if inside else ():
        yield from _pair("", f"{name}-read", namespace, inside, who)
    if rights.executes:
        # a WebSocket begins with GET, for which servers before 1.35 look for `get` and later ones for `create` too
        run = [{"apiGroups": [""], "resources": [EXEC], "verbs": ["create", "get"]}]
        for namespace in sorted(_executing(settings)):
            yield from _pair("", f"{name}-exec", namespace, run, who)


def changing(rights: Rights, namespaces: Sequence[str], name: str, home: str) -> Iterator[Manifest]:
    """Roles with their bindings for the actions that the settings allow, in the namespaces that they allow."""
    who = [{"kind": "ServiceAccount", "name": name, "namespace": home}]
    wide = EVERYWHERE in namespaces
    rules = rights.rules(namespaced=None if wide else True)
    if wide and rules:
        yield from _pair("Cluster", f"{name}-actions", "", rules, who)
        return
    for namespace in sorted(set(namespaces)) if rules else ():
        yield from _pair("", f"{name}-actions", namespace, rules, who)


def remarks(rights: Rights, settings: Settings, namespaces: Sequence[str]) -> Iterator[str]:
    """What the reader should know beside the roles."""
    yield from (" ".join(text.split()) for text in rights.remarks)
    if rights.executes and not _executing(settings):
        yield "Runbooks want to run commands in containers; kubernetes.exec in the settings allows none."
    if namespaces:
        yield "What concerns other namespaces, kube-system among them, will be told as not seen."


def _executing(settings: Settings) -> set[str]:
    """The namespaces in which the settings allow commands."""
    everywhere = [settings.kubernetes, *(cluster.kubernetes for cluster in settings.clusters)]
    return {namespace for kubernetes in everywhere for namespace, allowed in kubernetes.exec.items() if allowed}


def _pair(
    prefix: str,
    name: str,
    namespace: str,
    rules: Sequence[Mapping[str, Sequence[str]]],
    subjects: Sequence[Mapping[str, str]],
) -> Iterator[Manifest]:
    """A role and its binding."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    kind = f"{prefix}Role"
    yield {
        "apiVersion": f"{_API}/v1",
        "kind": kind,
        "metadata": dict(metadata),
        "rules": [{key: list(value) for key, value in rule.items()} for rule in rules],
    }
    yield {
        "apiVersion": f"{_API}/v1",
        "kind": f"{kind}Binding",
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": _API, "kind": kind, "name": name},
        "subjects": [dict(subject) for subject in subjects],
    }
