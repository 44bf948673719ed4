"""Apprise, loaded when it is needed: one service at a time, in threads, with the reason of a failure as far as it says.

Apprise answers yes or no. Why not is in its log only, which repeats parts of addresses: it is read here, for the HTTP
status in it, and goes nowhere else.
"""

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.model.incident import IncidentStatus
from responder.model.message import Message
from responder.sinks._html import links, short_html
from responder.sinks._http import judge
from responder.sinks._text import clean, cut, first_line, parts

PAUSE = "60"
"""Seconds to wait after a service says that it is too much: Apprise does not pass on for how long."""
SHORTEST = 160
"""Characters; services that say nothing, or less, get this much."""
LONGEST = 20_000
LONGEST_TITLE = 200
Format = Literal["text", "markdown", "html"]
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~])")
_MENTION = re.compile(r'(href="[^"]*")|(@|<(?=[!@#u])|&lt;(?=[!@#u]))')
_STATUS = re.compile(r"error=(\d{3})\b")
_SCHEMA = re.compile(r"[a-z][a-z0-9+.-]{0,30}(?=:)", re.IGNORECASE)


@dataclass(frozen=True)
class Service:
    """One service that Apprise knows how to reach. `name` is its place and scheme, never its address."""

    name: str
    plugin: Any

    @property
    def format(self) -> Format:
        """What it takes; of several formats (Apprise 2.3 and later) what its address says, else the first."""
        choose = getattr(self.plugin, "resolve_format", None)
        given = choose() if choose else self.plugin.notify_format
        value = str(getattr(given, "value", given))
        return cast(Format, value) if value in ("markdown", "html") else "text"

    @property
    def takes_pictures(self) -> bool:
        """Whether pictures can be sent along."""
        return bool(self.plugin.attachment_support)


def services(urls: Sequence[str], timeout: float) -> list[Service]:
    """The services of the URLs; raises Permanent for one that Apprise does not understand. Blocks: it loads Apprise."""
    import apprise

    for talkative in ("apprise", "urllib3"):
        logging.getLogger(talkative).propagate = False
    # whatever our own log leaves out: why a service said no is nowhere else
    logging.getLogger("apprise").setLevel(logging.WARNING)
    asset = apprise.AppriseAsset(app_id="Responder", async_mode=False, storage_mode="memory")
    found: list[Service] = []
    for place, url in enumerate(urls):
        scheme = _SCHEMA.match(url)
        name = f"urls[{place}] ({scheme[0] if scheme else 'no scheme'})"
        plugin = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if plugin is None:
            raise Permanent(f"{name} is no address that Apprise understands", Reason.NOT_CONFIGURED)
        # a bit longer than we wait, so that a thread that we no longer wait for comes to its end
        plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout + 1
        found.append(Service(name, plugin))
    return found


def notify(service: Service, message: Message, pictures: Sequence[bytes]) -> Trouble | None:
    """Send it; returns what was wrong, if anything. Blocks."""
    import apprise
    from apprise.attachment.memory import AttachMemory

    plugin, heading = service.plugin, title(message, service.plugin.title_maxlen)
    make: Any = AttachMemory
    drawn = enumerate((png for png in pictures if png), start=1)
    files = [make(content=png, name=f"chart{place}.png", mimetype="image/png") for place, png in drawn]
    with _heard() as words:
        try:
            done = plugin.notify(
                body=body(message, service.format, plugin.body_maxlen - len(heading)),
                title=heading,
                notify_type=_type(message),
                body_format=service.format,
                attach=apprise.AppriseAttachment(files) if files and service.takes_pictures else None,
            )
        except Exception as error:  # a plugin of theirs may raise anything, with addresses in it
            return Temporary(f"{service.name}: the plugin of Apprise fails ({type(error).__name__})", Reason.BUG)
    return None if done else _trouble(service.name, words)


def title(message: Message, most: int) -> str:
    """One line; services without titles get it before the body."""
    line = clean(" ".join(f"{message.severity.value} {message.headline}".split()))
    return _unmentioned(cut(line, min(most, LONGEST_TITLE) if most > 0 else LONGEST_TITLE))


def body(message: Message, form: Format, most: int) -> str:
    """What the service is told, in its format and within its limit."""
    limit = max(SHORTEST, min(most, LONGEST))
    if form == "html":
        # room for what keeps mentions apart
        return _unmentioned(short_html(message, limit * 3 // 4))[:limit]
    shown = _markdown if form == "markdown" else clean
    lines = [shown(first_line(message))]
    for part in parts(message):
        lines += ["", f"**{part.title}**" if form == "markdown" else part.title]
        for number, line in enumerate(part.lines, start=1):
            lines.append(f"{f'{number}.' if part.numbered else '-'} {shown(' '.join(line.split()))}")
    where = [f"{_unmentioned(shown(link.title))}: {link.url}" for link in links(message)]
    end = "\n".join(_within(where, limit // 2))
    start = "\n".join(_within([_unmentioned(line) for line in lines], limit - len(end) - 2))
    return f"{start}\n\n{end}" if end else start


def _within(lines: Sequence[str], most: int) -> Iterator[str]:
    """Whole lines, as many as fit, so that no escape is cut."""
    for line in lines:
        most -= len(line) + 1
        if most < 0:
            return
        yield line


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", clean(text))


def _unmentioned(text: str) -> str:
    """With nothing in it that calls somebody; addresses of links stay."""
    return _MENTION.sub(lambda found: found[1] or f"{found[2]}\u200b", text)


def _type(message: Message) -> Any:
    import apprise

    if message.status is IncidentStatus.RESOLVED:
        return apprise.NotifyType.SUCCESS
    return apprise.NotifyType.FAILURE if message.severity.value in ("P0", "P1") else apprise.NotifyType.WARNING


def _trouble(name: str, words: Sequence[str]) -> Trouble:
    """The HTTP status, where the log has one. All others may have been delivered or not."""
    found = [int(code) for line in words for code in _STATUS.findall(line)]
    if not found:
        said = f"{name} was not reached, or did not take it: Apprise does not say which"
        return Temporary(said, Reason.UNREACHABLE)
    status = max(found, key=lambda code: (code >= 500 or code == 429, code))
    return judge(status, PAUSE if status == 429 else "", f"{name} answered {status}", "")


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What Apprise's log says in this thread."""
    lines: list[str] = []
    here = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here:
                lines.append(record.getMessage())

    listener = Listener(logging.WARNING)
    log = logging.getLogger("apprise")
    log.addHandler(listener)
    try:
        yield lines
    finally:
        log.removeHandler(listener)
