"""The data that ships with the package: the folder `rules`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

_INSTALLED = Path(__file__).parent / "rules"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def rules() -> Path:
    """The folder of rules that ships: in the installed package, else at the top of the checkout."""
    return _INSTALLED if _INSTALLED.is_dir() else _INSTALLED.parents[1] / "rules"


def documents(part: str) -> Iterator[Mapping[str, Any]]:
    """The YAML documents of a part of it, such as `signatures`, in the order of their files' names."""
    for file in sorted((rules() / part).glob("*.yaml")):
        yield from filter(None, yaml.load_all(file.read_text(encoding="utf-8"), _Loader))
