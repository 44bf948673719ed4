"""Queries in runbooks: is it PromQL, is it LogQL, as far as that can be told without a server."""

import re
from collections.abc import Iterator

from responder.templating import placeholder, templated
from responder.templating.escaping import Language

_TAG = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_STANDINS = ("x", "1", "1m")
"""What a template may put in its place: a name, a number, a duration."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')
_COMMENT = re.compile(r"#[^\n]*")
_CLOSES = {")": "(", "]": "[", "}": "{"}


def query_problem(text: str, language: Language | None) -> str:
    """Why the text is no query of that language; empty where it is, or where nobody can tell."""
    if language is Language.PROMQL:
        return _promql(text)
    return _logql(text) if language is Language.LOGQL else ""


def _promql(text: str) -> str:
    try:
        from promql_parser import parse
    except ImportError:
        return ""
    problem = ""
    for candidate in _filled(text):
        try:
            parse(candidate)
        except ValueError as error:
            problem = problem or f"is no PromQL: {_first_line(error)}"
        else:
            return ""
    return problem


def _logql(text: str) -> str:
    """Its strings and brackets are closed, and it selects streams."""
    bare = _COMMENT.sub("", _STRING.sub('""', next(_filled(text))))
    if '"' in bare.replace('""', "") or "`" in bare:
        return "is no LogQL: a string is not closed"
    if bracket := _unbalanced(bare):
        return f"is no LogQL: {bracket}"
    selectors = re.findall(r"\{([^{}]*)\}", bare)
    if not selectors:
        return 'is no LogQL: it selects no streams, as {namespace="shop"}'
    if not all(re.search(r'(?<!!)=~?\s*"', selector) for selector in selectors):
        return 'is no LogQL: a selector needs a matcher with = or =~, as {namespace="shop"}'
    return ""


def _unbalanced(text: str) -> str:
    waiting: list[str] = []
    for sign in text:
        if sign in _CLOSES.values():
            waiting.append(sign)
        elif sign in _CLOSES and (not waiting or waiting.pop() != _CLOSES[sign]):
            return f"{sign} closes nothing"
    return f"{waiting[-1]} is not closed" if waiting else ""


def _filled(text: str) -> Iterator[str]:
    """The text as it may be once its templates are filled in."""
    if not templated(text):
        yield text
        return
    for standin in _STANDINS:
        yield placeholder(_TAG.sub(standin, text))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
