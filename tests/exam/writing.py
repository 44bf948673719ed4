"""What a container wrote, each line with the moment at which the runtime took it, as `kubectl logs --timestamps`.

A line that begins with `*40 ` is written forty times; `$N` in it counts. `$ISO`, `$MS`, `$SLASH`, `$CLF` and `$KLOG`
in a line are its moment, as programs write it.
"""

import re
from collections.abc import Iterator
from datetime import datetime

_TIMES = re.compile(r"\*(\d+) (.*)")
_MOMENTS = re.compile(r"\$(ISO|MS|SLASH|CLF|KLOG)\b")
_FORMATS = {
    "ISO": "%Y-%m-%dT%H:%M:%S.%fZ",
    "MS": "%Y-%m-%d %H:%M:%S",
    "SLASH": "%Y/%m/%d %H:%M:%S",
    "CLF": "%d/%b/%Y:%H:%M:%S +0000",
    "KLOG": "%m%d %H:%M:%S.%f",
}


def written(text: str, first: datetime, last: datetime) -> str:
    """The lines, spread evenly from the first moment to the last."""
    lines = list(_lines(text))
    step = (last - first) / max(1, len(lines) - 1)
    return "".join(f"{_entry(line, first + step * number)}\n" for number, line in enumerate(lines))


def _lines(text: str) -> Iterator[str]:
    for line in text.rstrip("\n").split("\n"):
        repeated = _TIMES.fullmatch(line)
        if repeated:
            yield from (repeated[2].replace("$N", str(number)) for number in range(1, int(repeated[1]) + 1))
        else:
            yield line


def _entry(line: str, at: datetime) -> str:
    shown = _MOMENTS.sub(lambda match: _moment(match[1], at), line)
    return f"{at.strftime('%Y-%m-%dT%H:%M:%S.%f')}127Z {shown}"


def _moment(name: str, at: datetime) -> str:
    text = at.strftime(_FORMATS[name])
    return f"{text}.{at.microsecond // 1000:03}" if name == "MS" else text
