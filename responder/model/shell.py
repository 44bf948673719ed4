"""Commands for people to paste: secrets are taken out of the words, and what is left is quoted anew."""

import shlex
from collections.abc import Iterator

from responder.model.redaction import HIDDEN, names_secret, redact


def redact_command(command: str) -> str:
    """The command without passwords, tokens and keys.

    `command` is words quoted as `shlex.join` does, and between commands ` | ` or `; `. Redacting the quoted text would
    take quotes away with a secret, and a shell would run what is left.
    """
    return "".join(
        part if is_operator else shlex.join(_words(shlex.split(part))) for part, is_operator in _parts(command)
    )


def _words(words: list[str]) -> Iterator[str]:
    """The words; one after an option that is named like a secret is hidden."""
    for before, word in zip(["", *words], words, strict=False):
        flagged = before.startswith("-") and "=" not in before and names_secret(before.lstrip("-"))
        yield HIDDEN if flagged and not word.startswith("-") else redact(word)


def _parts(command: str) -> Iterator[tuple[str, bool]]:
    """The commands and the operators between them, as (text, whether it is an operator)."""
    quote, start, at = "", 0, 0
    while at < len(command):
        character = command[at]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "\\":
            at += 1
        elif operator := next((found for found in (" | ", "; ") if command.startswith(found, at)), ""):
            yield command[start:at], False
            yield operator, True
            at = start = at + len(operator)
            continue
        at += 1
    yield command[start:], False
