"""Taking an alerting expression apart: what it watches, and the bound that it is compared with.

Precedence as in prometheus.io/docs/prometheus/latest/querying/operators: `or` binds weakest, then `and` and
`unless`, then comparisons, then arithmetic.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from responder.model.evidence import Threshold

LONGEST = 16_384
_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?P<comment>\#[^\n]*)|(?P<open>[(\[{])|(?P<close>[)\]}])"""
    r"""|(?P<word>[A-Za-z_:][A-Za-z0-9_:]*)|(?P<comparison>[<>]=?|[=!]=)|(?P<other>=~|!~|.)""",
    re.DOTALL,
)
_FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True)
class Parts:
    """What to draw, the bound to draw with it, and the condition that is left out of the picture."""

    query: str
    threshold: Threshold | None = None
    condition: str = ""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int


def parts(expression: str) -> Parts:
    """Split `QUERY > 0.5 and CONDITION`; an expression of another form is the query as it is."""
    whole = _unwrapped(expression.strip())
    outer = _outer(whole)
    joins = [token for token in outer if token.kind == "word" and token.text.lower() in ("and", "or", "unless")]
    if any(token.text.lower() == "or" for token in joins):
        return Parts(whole)
    watched, condition = (whole[: joins[0].start], whole[joins[0].start :]) if joins else (whole, "")
    query, threshold = _compared(_unwrapped(watched.strip()))
    return Parts(query, threshold, " ".join(condition.split())) if threshold else Parts(whole)


def _compared(text: str) -> tuple[str, Threshold | None]:
    comparisons = [token for token in _outer(text) if token.kind == "comparison"]
    if not comparisons:
        return text, None
    sign = comparisons[-1]
    left, right = text[: sign.start].strip(), _uncommented(text[sign.start + len(sign.text) :]).strip()
    if (value := _number(right)) is not None and left:
        return _unwrapped(left), Threshold(operator=sign.text, value=value)
    if len(comparisons) == 1 and (value := _number(left)) is not None and not right.startswith("bool"):
        return _unwrapped(right), Threshold(operator=_FLIPPED.get(sign.text, sign.text), value=value)
    return text, None


def _uncommented(text: str) -> str:
    return "".join(match[0] for match in _TOKEN.finditer(text) if match.lastgroup != "comment")


def _outer(text: str) -> list[_Token]:
    """The tokens outside of all brackets, without comments. Nothing where brackets do not match."""
    found: list[_Token] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        depth -= kind == "close"
        if depth < 0:
            return []
        if depth == 0 and kind != "comment":
            found.append(_Token(kind, match[0], match.start()))
        depth += kind == "open"
    return found if depth == 0 else []


def _unwrapped(text: str) -> str:
    """The text without brackets around the whole of it."""
    while True:
        outer = [token for token in _outer(text) if token.text.strip()]
        if [token.text for token in outer] != ["(", ")"]:
            return text
        text = text[outer[0].start + 1 : outer[1].start].strip()


def _number(text: str) -> float | None:
    """A number, or arithmetic of numbers such as `( 25 / 100 )`; None for anything else."""
    if not re.fullmatch(r"[-+*/(). 0-9eE\s]{1,80}", text):
        return None
    try:
        return _evaluated(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        return None


def _evaluated(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _evaluated(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _ARITHMETIC[type(node.op)](_evaluated(node.left), _evaluated(node.right))
    raise ValueError("not arithmetic")
