"""What both forms of Mattermost share: its Markdown, and the text of a message."""

import re

from responder.model.message import Message
from responder.sinks import Block, Preview
from responder.sinks._chat import RESENT, Markup, fitted, outline, paragraphs, written
from responder.sinks._text import escape_markdown, parts

LONGEST = 16_383
"""Characters; what is longer becomes several posts."""
_MARKS = r"\*_~`|<>#[]:"
_NAMES = re.compile(r"[@<](?=\S)")


def escape(text: str) -> str:
    """Markdown of strangers means itself; nobody is called by `@name`, nor by Slack's `<!channel>`."""
    apart = _NAMES.sub(lambda found: f"{found.group()}\u200b", text)
    return escape_markdown(apart, _MARKS)


def whole(message: Message, *, resent: bool = False) -> str:
    """All in one post."""
    return _written(_fitted(message), RESENT if resent else "")


def root(message: Message, *, resent: bool = False) -> str:
    """What the channel shows: all but what the thread adds."""
    return whole(_without_details(message), resent=resent)


def details(message: Message) -> str:
    """What the thread adds: what it is not, and what could not be seen; empty without any."""
    return "\n\n".join(paragraphs(_details(message), _MARKUP))


def preview(message: Message, *, threaded: bool) -> Preview:
    """What would be sent."""
    shown = _fitted(_without_details(message) if threaded else message)
    texts = [_written(shown, ""), *([details(message)] if threaded else [])]
    blocks = list(outline(shown))
    if threaded:
        added = parts(_details(message))
        blocks += [Block(kind="list", text=part.title, items=part.lines) for part in added]
        blocks += [Block(kind="picture", text=picture.title) for picture in shown.pictures]
    return Preview(blocks=tuple(blocks), payload="\n\n---\n\n".join(text for text in texts if text))


def _without_details(message: Message) -> Message:
    return message.model_copy(update={"not_it": (), "not_seen": ()})


def _details(message: Message) -> Message:
    elsewhere = ("summary", "differences", "because", "next_steps", "advice", "alerts", "members")
    only = message.model_copy(update={**dict.fromkeys(elsewhere, ()), "cause": "", "more_members": 0})
    return fitted(only, lambda tried: len("\n\n".join(paragraphs(tried, _MARKUP))) <= LONGEST)


def _fitted(message: Message) -> Message:
    return fitted(message, lambda tried: len(_written(tried, RESENT)) <= LONGEST)


def _written(message: Message, note: str) -> str:
    return written(message, _MARKUP, note=note)


def _bold(text: str) -> str:
    return f"**{text}**"


def _link(name: str, url: str) -> str:
    return f"[{escape(name)}](<{url}>)"


_MARKUP = Markup(escape=escape, bold=_bold, link=_link)
