"""What the trackers that read Markdown share: an issue, and whether a text is more than text."""

import re
from dataclasses import dataclass, field

from markdown_it import MarkdownIt

from tests import fakes

TITLES = {
    *("Summary", "Labels", "Cause", "Because", "Ruled out", "Not seen", "Next", "Runbook advice"),
    *("Alerts", "Incidents"),
}
STRUCTURE = {
    *("paragraph", "heading", "bullet_list", "ordered_list", "list_item", "inline", "text", "strong", "link"),
    *("softbreak", "image"),
}
OURS = ("https://responder.example/", "http://responder.example/")
"""Where the links of messages in tests lead to."""
MARK = re.compile(r"\n<!-- responder:[0-9a-f]{16} -->$")
REFERENCES = (
    re.compile(r"@\w"),
    re.compile(r"[#!~%$&]\w"),
    re.compile(r"\bGH-\d", re.IGNORECASE),
    re.compile(r"https?://\w|\bwww\.\w", re.IGNORECASE),
)
QUICK_ACTION = re.compile(r"^\s*/\w", re.MULTILINE)


@dataclass
class Issue:
    """One issue; `fields` as they were sent."""

    number: int
    title: str
    text: str
    labels: list[str]
    closed: bool = False
    comments: list[str] = field(default_factory=list)

    def thing(self) -> fakes.sinks.Thing:
        """What people see."""
        shown = f"{self.title}\n{self.text}"
        return fakes.sinks.Thing(shown, self.text.count("\n!["), not self.closed, self.comments)


def faults(text: str, *, commented: bool = False) -> list[str]:
    """What would be more than text, a link of ours, or a list: markup, references, commands."""
    found = []
    if not commented and not MARK.search(text):
        found.append("no mark at the end")
    text = MARK.sub("", text)
    if QUICK_ACTION.search(text):
        found.append(f"a quick action: {text!r}")
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    for token in tokens:
        for inside in (token, *(token.children or ())):
            kind = inside.type.removesuffix("_open").removesuffix("_close")
            if kind not in STRUCTURE:
                found.append(f"{kind}: {inside.content!r}")
            if inside.type == "text":
                found += [
                    f"{inside.content!r} is a reference" for pattern in REFERENCES if pattern.search(inside.content)
                ]
            address = str(inside.attrs.get("href") or inside.attrs.get("src") or OURS[0])
            if not address.startswith(OURS):
                found.append(f"a stranger's link {address}")
    headings = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    return found + [f"heading {title!r}" for title in headings if title not in TITLES]


def title_faults(title: str, most: int) -> list[str]:
    """What a title must not be."""
    found = ["an empty title"] if not title.strip() else []
    if len(title) > most or "\n" in title:
        found.append(f"a title of {len(title)} characters or several lines")
    return found + [f"{title!r} has a reference" for pattern in REFERENCES[:3] if pattern.search(title)]
