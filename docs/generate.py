"""Writes the pages of this folder that come from the code: `make docs`."""

import inspect
import sys
import typing
from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs import rules_index
from responder import actions, detectors, plugins, probes, sinks
from responder.actions import Action
from responder.metrics import Metrics
from responder.plugins import Catalog, Plugin
from responder.probes import Probe
from responder.settings import Settings
from responder.sinks import Sink

HERE = Path(__file__).parent
NOTE = "<!-- Generated from the code by `make docs`; edit the docstrings and field descriptions there. -->\n"


def pages() -> Mapping[str, str]:
    """The generated pages by file name."""
    return {
        "probes.md": plugin_page(
            "Probes",
            "Questions that a step of a runbook can ask. `probe:` names the kind, all other keys are its options; "
            "text options are templates over `labels`, `annotations`, `target`, `alert` and `evidence`.",
            plugins.load(probes, Probe, "probe", dotted=True),
        ),
        "sinks.md": plugin_page(
            "Sinks",
            "Where incidents are published. An entry of `sinks:` in the settings names the `kind` and a `name`; "
            "all other keys are the kind's options.",
            plugins.load(sinks, Sink, "sink"),
        ),
        "actions.md": plugin_page(
            "Actions",
            "Changes that a runbook can propose. `action:` names the kind, all other keys but `id`, `title`, `mode`, "
            "`causes` and `verify` are its options; text options are templates as those of probes. Who has to agree, "
            "and where the limits are: [changes](changes.md).",
            actions.load(),
        ),
        "settings.md": settings_page(),
        "metrics.md": metrics_page(),
        "causes.md": causes_page(),
    }


def plugin_page(title: str, intro: str, catalog: Catalog[Any]) -> str:
    """One section a kind: what it does, its options, the rights it needs."""
    lines = [NOTE, f"# {title}\n", f"{intro}\n"]
    for kind, plugin in catalog.kinds.items():
        lines += [f"## {kind}\n", f"{described(plugin)}\n"]
        if plugin.model_fields:
            lines += ["| option | type | default | |", "|---|---|---|---|"]
            lines += [f"| `{name}` | {_cells(field)} |" for name, field in plugin.model_fields.items()]
            lines += [""]
        if rights := _rights(plugin):
            lines += [f"Needs: {rights}\n"]
    return "\n".join(lines)


def settings_page() -> str:
    """Every key with its variable, type and default."""
    intro = (
        "One YAML file, given with `--config`; every key is also an environment variable, which wins. Lists are JSON "
        "in a variable. Durations are written as Prometheus writes them: `30s`, `5m`, `1h30m`."
    )
    lines = [NOTE, "# Settings\n", f"{intro}\n"]
    sections = _sections(Settings)
    links = {model: f"[{path}](#{_anchor(path)})" for path, model in sections.items()}
    for path, model in sections.items():
        lines += [f"## {path or 'top level'}\n", f"{described(model)}\n"]
        lines += ["| key | variable | type | default | |", "|---|---|---|---|---|"]
        for name, field in model.model_fields.items():
            key = f"{path}.{field.alias or name}".lstrip(".")
            variable = "" if "[]" in key else f"`RESPONDER_{key.replace('.', '__').upper()}`"
            lines += [f"| `{key}` | {variable} | {_cells(field, links)} |"]
        lines += [""]
    return "\n".join(lines)


def metrics_page() -> str:
    """Every metric with its type and labels."""
    lines = [NOTE, "# Metrics\n", "What `/metrics` exports, in OpenMetrics.\n", "| metric | type | labels | |"]
    lines += ["|---|---|---|---|"]
    for collector in vars(Metrics()).values():
        if not hasattr(collector, "_labelnames"):
            continue
        family = next(iter(collector.describe()))
        suffix = "_total" if family.type == "counter" else ""
        labels = ", ".join(f"`{label}`" for label in collector._labelnames)  # noqa: SLF001
        lines += [f"| `{family.name}{suffix}` | {family.type} | {labels} | {family.documentation} |"]
    return "\n".join([*lines, ""])


def causes_page() -> str:
    """The catalogue of causes that the detectors can name."""
    lines = [NOTE, "# Causes\n", "What a finding can name as `cause`; runbooks may add causes of their own.\n"]
    for slug, cause in sorted(detectors.load().causes.items()):
        lines += [f"## {slug}\n", f"**{cause.title}.** {cause.meaning}\n", f"*Confirm:* {cause.confirm}\n"]
        lines += [f"*Fix:* {cause.fix}\n"]
        if cause.reference:
            lines += [f"*See:* {cause.reference}\n"]
    return "\n".join(lines)


def described(model: type[BaseModel]) -> str:
    """The class's own docstring; raises ValueError where there is none."""
    if not model.__doc__:
        raise ValueError(f"{model.__module__}.{model.__name__} has no docstring")
    return inspect.cleandoc(model.__doc__)


def _rights(plugin: type[Plugin]) -> str:
    if not issubclass(plugin, Probe | Action) or any(field.is_required() for field in plugin.model_fields.values()):
        return ""
    found = plugin.model_construct().permissions()
    return ", ".join(f"{'/'.join(right.verbs)} `{f'{right.resource}.{right.group}'.rstrip('.')}`" for right in found)


def _sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The sections by path, the nearest to the top first: one that stands in several places is described once."""
    found: dict[str, type[BaseModel]] = {"": model}
    for path in (waiting := [""]):
        for name, field in found[path].model_fields.items():
            inner = f"{path}.{field.alias or name}".lstrip(".")
            for part in (field.annotation, *typing.get_args(field.annotation)):
                if inspect.isclass(part) and issubclass(part, BaseModel) and part not in found.values():
                    listed = inner + ("" if part is field.annotation else "[]")
                    found[listed] = part
                    waiting.append(listed)
    return found


def _anchor(path: str) -> str:
    """The anchor that GitHub gives a heading."""
    return "".join(letter for letter in path.lower() if letter.isalnum() or letter in "_-")


def _cells(field: FieldInfo, links: Mapping[Any, str] | None = None) -> str:
    default: Any = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        shown = "*required*"
    elif isinstance(default, BaseModel) or default is None or default in ((), {}, ""):
        shown = ""
    else:
        shown = f"`{_plain(default)}`"
    return f"{_type(field.annotation, links or {})} | {shown} | {field.description or ''}"


def _plain(value: object) -> object:
    """A value as people write it in YAML."""
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(str(_plain(item)) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else value


def _duration(value: timedelta) -> str:
    """`30d`, `1h30m`, `500ms`."""
    left, text = round(value.total_seconds() * 1000), ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        text += f"{left // size}{unit}" if left >= size else ""
        left %= size
    return text or "0s"


def _type(annotation: Any, links: Mapping[Any, str] | None = None) -> str:
    links = links or {}
    if annotation in links:
        return links[annotation]
    if typing.get_origin(annotation) is typing.Annotated:
        return _type(typing.get_args(annotation)[0], links)
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(f"`{word}`" for word in typing.get_args(annotation))
    names = {timedelta: "duration", SecretStr: "secret", str: "text", Path: "path", type(None): ""}
    if annotation in names:
        return names[annotation]
    if arguments := [part for part in typing.get_args(annotation) if part is not Ellipsis]:
        origin = typing.get_origin(annotation)
        inner = [word for part in arguments if (word := _type(part, links))]
        if origin is tuple:
            return f"list of {inner[0]}"
        if origin is dict or getattr(origin, "__name__", "") == "Mapping":
            return f"map of {inner[-1]}"
        return " or ".join(dict.fromkeys(inner))
    return str(getattr(annotation, "__name__", annotation)).lower() if annotation is not Any else "anything"


def main() -> None:
    """Write every page that changed, and say which."""
    for name, text in pages().items():
        path = HERE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"docs/{name}\n")
    if rules_index.write(HERE.parent / "rules" / "README.md"):
        sys.stdout.write("rules/README.md\n")


if __name__ == "__main__":
    main()
