"""SQL statements as people may see them."""

import re

LONGEST_STATEMENT = 300
_READS_OR_WRITES = re.compile(
    r"(?i)[\s(]*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|TABLE|FETCH|CALL|EXECUTE)\b|<"
)
_NUMBERED = re.compile(r"\$\d+")
_LITERALS = re.compile(
    r"""--[^\n]*|/\*.*?(?:\*/|\Z)|\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)"""
    r"""|(?P<escape>[eE]'(?:\\.|''|[^'\\])*(?:'|\Z))|(?:[bBxXnN]|[uU]&)?'(?:''|[^'])*(?:'|\Z)"""
    r"""|(?P<keep>"(?:""|[^"])*"|\$\d+|[A-Za-z_]\w*)|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?""",
    re.DOTALL,
)


def masked(statement: str) -> str:
    """A statement on one line without comments and values, cut where it is long: values may be secrets."""
    text = " ".join(_LITERALS.sub(_hide, statement).split())
    return text if len(text) <= LONGEST_STATEMENT else f"{text[: LONGEST_STATEMENT - 1]}…"


def _hide(found: re.Match[str]) -> str:
    if found["keep"]:
        return found[0]
    return " " if found[0].startswith(("--", "/*")) else "?"


def alike(statement: str) -> str:
    """A statement that is the same whether its values are masked or numbered."""
    return _NUMBERED.sub("?", statement)


def is_query(statement: str) -> bool:
    """Whether it reads or writes rows; that COPY, VACUUM or CREATE INDEX take long is no news."""
    return _READS_OR_WRITES.match(statement) is not None
