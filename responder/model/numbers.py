"""Numbers as people read them, with their unit."""

import math

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def shown(value: float, unit: str = "") -> str:
    """A number with its unit: `bytes`, `seconds` and `ratio` are scaled, any other unit is put behind it."""
    if not math.isfinite(value):
        return str(value)
    match unit:
        case "bytes":
            return _scaled_bytes(value)
        case "seconds":
            return seconds(value)
        case "ratio":
            return f"{plain(value * 100)} %"
        case "percent":
            return f"{plain(value)} %"
        case "":
            return plain(value)
        case _:
            return f"{plain(value)} {unit}"


def plain(value: float) -> str:
    """Three significant digits, whole numbers whole."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value)}"
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-4 else f"{value:.2e}"


def seconds(value: float) -> str:
    """A duration: `320 ms`, `2.5 s`, `4 min`, `3 h`, `2 d`."""
    size = abs(value)
    if size < 1:
        return f"{value * 1000:.0f} ms" if size >= 0.001 or size == 0 else f"{value * 1e6:.0f} µs"
    for bound, divisor, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if size < bound:
            return f"{plain(round(value / divisor, 1))} {unit}"
    return f"{plain(round(value / 86400, 1))} d"


def _scaled_bytes(value: float) -> str:
    power = min(len(_BYTES) - 1, int(math.log(abs(value), 1024))) if abs(value) >= 1 else 0
    return f"{plain(value / 1024**power)} {_BYTES[power]}"
