"""Addresses that strangers wrote: which of them may be followed, and where the alerts of an incident point to."""

from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import quote, urlsplit

from responder.model.incident import TrackedAlert

MOST = 5
"""Addresses of one kind."""
_KINDS = (("Runbook", ("runbook_url", "runbook")), ("Dashboard", ("dashboard_url", "dashboard")))
_ENDS_A_LINK = " <>\"'`|\\"


def web_address(url: str) -> str:
    """The address, if it is http or https with a host; what could end a link early is percent-encoded, else nothing.

    Nothing either where a character cannot be seen, or the host itself has such a character.
    """
    url = url.strip()
    if not url.isprintable():
        return ""
    try:
        found = urlsplit(url)
        reachable = found.hostname and found.port != 0 and not set(_ENDS_A_LINK) & set(found.netloc)
    except ValueError:
        return ""
    if found.scheme not in ("http", "https") or not reachable:
        return ""
    return "".join(quote(sign) if sign in _ENDS_A_LINK else sign for sign in url)


def alert_links(alerts: Iterable[TrackedAlert]) -> list[tuple[str, str]]:
    """Title and address of each runbook, dashboard and source that the alerts name; each address once."""
    found: dict[str, tuple[str, str]] = {}
    kinds: Counter[str] = Counter()
    for kind, name, url in _named(list(alerts)):
        if url not in found and kinds[kind] < MOST:
            found[url] = kind, name
            kinds[kind] += 1
    titles: Counter[str] = Counter()
    links = []
    for url, (kind, name) in found.items():
        title = f"{kind}: {name}" if kinds[kind] > 1 and name else kind
        titles[title] += 1
        links.append((f"{title} ({titles[title]})" if titles[title] > 1 else title, url))
    return links


def _named(alerts: list[TrackedAlert]) -> Iterator[tuple[str, str, str]]:
    """Kind, name of the alert, and address, as often as they are named."""
    for kind, annotations in _KINDS:
        for alert in alerts:
            for annotation in annotations:
                if url := web_address(alert.annotations.get(annotation, "")):
                    yield kind, alert.name, url
    for alert in alerts:
        if url := web_address(alert.generator_url):
            yield "Source", alert.name, url
