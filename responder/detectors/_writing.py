"""How detectors write findings."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from responder.model.finding import Because, Cause, Confidence, Finding
from responder.model.kubernetes import Object
from responder.model.lines import plain
from responder.model.subject import Subject

CERTAIN, LIKELY, POSSIBLE = Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE
LONGEST_QUOTE = 300


def because(text: str, *sources: Object | str) -> Because:
    """An observation with its evidence: objects that show it, or ids of evidence."""
    ids = [name for source in sources for name in (source.evidence if isinstance(source, Object) else (source,))]
    return Because(text=text, evidence=tuple(dict.fromkeys(ids)))


def found(
    cause: Cause,
    subject: Subject,
    confidence: Confidence,
    headline: str,
    reasons: Sequence[Because],
    *,
    next_steps: Iterable[str] = (),
    suffering: Iterable[Subject] = (),
    since: datetime | None = None,
    explanation: str = "",
    container: str = "",
) -> Finding:
    """A finding with the evidence of all its reasons."""
    ids = dict.fromkeys(name for reason in reasons for name in reason.evidence)
    return Finding(
        cause=cause.slug,
        subject=subject,
        confidence=confidence,
        headline=headline,
        explanation=explanation,
        because=tuple(reasons),
        evidence=tuple(ids),
        next_steps=tuple(next_steps),
        suffering=tuple(dict.fromkeys(item for item in suffering if item != subject)),
        since=since,
        container=container,
    )


def quote(text: str) -> str:
    """A message on one line; of a long one its beginning and its end, where the reason stands."""
    line = " ".join(plain(text).split())
    if len(line) <= LONGEST_QUOTE:
        return line
    half = (LONGEST_QUOTE - 3) // 2
    return f"{line[:half]} … {line[-half:]}"


def listed(names: Iterable[object], most: int = 4) -> str:
    """Names as people list them: `a, b and 3 more`."""
    words = [str(name) for name in names]
    if len(words) <= most:
        return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
    return f"{', '.join(words[:most])} and {len(words) - most} more"


def plural(number: int, noun: str) -> str:
    """`1 pod`, `3 pods`."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number} {noun}{ending}"
