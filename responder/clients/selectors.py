"""Label and field selectors, as the API server reads them (Kubernetes, concepts/overview/working-with-objects)."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from responder.errors import Permanent, Reason

_COMMA = re.compile(r",(?![^()]*\))")
_SET = re.compile(r"([^\s(),=!]+)\s+(in|notin)\s*\(([^()]*)\)")
_EQUALITY = re.compile(r"([^=!\s]+)\s*(==|=|!=)\s*([^\s=!]*)")
_PRESENCE = re.compile(r"(!?)\s*([^\s=!(),]+)")


def by_labels(selector: str) -> Callable[[Mapping[str, str]], bool]:
    """Whether labels fit a selector: `app=web,tier in (a,b),!canary`; raises Permanent if it cannot be read."""
    terms = [_label_term(term.strip()) for term in _COMMA.split(selector) if term.strip()]
    return lambda labels: all(fits(labels) for fits in terms)


def by_fields(selector: str) -> Callable[[Mapping[str, Any]], bool]:
    """Whether an object fits a field selector: `involvedObject.name=x,type!=Normal`; raises Permanent likewise."""
    terms = [_field_term(term.strip()) for term in selector.split(",") if term.strip()]
    return lambda item: all(fits(item) for fits in terms)


def written(selector: Mapping[str, Any]) -> str:
    """A `LabelSelector` object as text."""
    terms = [f"{name}={value}" for name, value in (selector.get("matchLabels") or {}).items()]
    for term in selector.get("matchExpressions") or ():
        key, values = term.get("key", ""), ",".join(term.get("values") or ())
        match term.get("operator"):
            case "In":
                terms.append(f"{key} in ({values})")
            case "NotIn":
                terms.append(f"{key} notin ({values})")
            case "Exists":
                terms.append(key)
            case "DoesNotExist":
                terms.append(f"!{key}")
    return ",".join(terms)


def _label_term(term: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.fullmatch(term):
        name, wanted = found[1], {value.strip() for value in found[3].split(",")}
        if found[2] == "in":
            return lambda labels: labels.get(name) in wanted
        return lambda labels: labels.get(name) not in wanted
    if found := _EQUALITY.fullmatch(term):
        name, value, equal = found[1], found[3], found[2] != "!="
        return lambda labels: (labels.get(name) == value) is equal
    if found := _PRESENCE.fullmatch(term):
        name, present = found[2], not found[1]
        return lambda labels: (name in labels) is present
    raise Permanent(f"unable to parse requirement: {term[:80]}", Reason.BAD_REQUEST)


def _field_term(term: str) -> Callable[[Mapping[str, Any]], bool]:
    found = _EQUALITY.fullmatch(term)
    if found is None:
        raise Permanent(f"invalid field selector; can't understand {term[:80]!r}", Reason.BAD_REQUEST)
    path, value, equal = found[1].split("."), found[3], found[2] != "!="

    def fits(item: Mapping[str, Any]) -> bool:
        at: Any = item
        for part in path:
            at = at.get(part, "") if isinstance(at, Mapping) else ""
        text = str(at).lower() if isinstance(at, bool) else str(at)
        return (text == value) is equal

    return fits
