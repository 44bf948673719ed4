"""Conditions in runbooks: CEL, the language of Kubernetes' own admission policies.

A missing field, key or index makes a condition false, not an error; what cannot be evaluated otherwise
raises ConditionError. (github.com/google/cel-spec, doc/langdef.md.)
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import cel

from responder.errors import ConfigError, ResponderError

LONGEST = 4000


class ConditionError(ResponderError):
    """A condition that cannot be evaluated."""


class Condition:
    """A compiled condition; raises ConfigError where the source is no CEL expression."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._program = _compile(source)

    def evaluate(self, context: Mapping[str, Any]) -> bool:
        """Whether it holds. The context has no nulls: leave out what is unknown."""
        try:
            result = self._program.execute(dict(context))
        except (KeyError, IndexError):
            return False
        except Exception as error:
            if _missing(str(error)):
                return False
            raise ConditionError(f"{self.source!r} cannot be evaluated: {error}") from None
        if not isinstance(result, bool):
            raise ConditionError(f"{self.source!r} is {type(result).__name__}, wanted is true or false")
        return result


@lru_cache(maxsize=4096)
def _compile(source: str) -> Any:
    if len(source) > LONGEST:
        raise ConfigError(f"a condition is longer than {LONGEST} characters")
    try:
        return cel.compile(source)
    except Exception as error:
        raise ConfigError(f"{source!r} is not a CEL condition: {_first_line(error)}") from None


def _missing(message: str) -> bool:
    lowered = message.lower()
    return any(sign in lowered for sign in ("no such key", "no such field", "undefined", "undeclared", "index out of"))


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
