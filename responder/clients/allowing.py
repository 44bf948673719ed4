"""Which commands may run in containers: the settings' list of arguments, by namespace."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

Allowed = Mapping[str, Sequence[Sequence[str]]]


def allowed(rules: Allowed, namespace: str, command: Sequence[str]) -> bool:
    """Whether a list of arguments is one that the settings allow in the namespace.

    A rule has as many arguments as the command, each the same text. `*` in a rule stands for any text within its one
    argument, which then cannot be an option: it may not begin with `-`.
    """
    return any(_fits(rule, command) for rule in rules.get(namespace, ()))


def _fits(rule: Sequence[str], command: Sequence[str]) -> bool:
    if not rule or len(rule) != len(command):
        return False
    return all(map(_same, rule, command))


def _same(pattern: str, argument: str) -> bool:
    if "*" not in pattern:
        return pattern == argument
    if argument.startswith("-") and not pattern.startswith("-"):
        return False
    literal = pattern.replace("[", "[[]").replace("?", "[?]")
    return fnmatchcase(argument, literal)
