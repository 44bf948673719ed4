"""A Loki of given streams, strict about its API (grafana.com/docs/loki/latest/reference/loki-http-api).

It understands the part of LogQL that runbooks use, and refuses the rest with `parse error`, as Loki does:
selectors, line filters, `json`, `logfmt`, `regexp`, label filters, `unwrap`, range aggregations and `sum`.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

MOST_ENTRIES = 5000
_TOKENS = re.compile(
    r"""\s*(?P<token>(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<duration>(?:\d+(?:ms|[smhdw]))+)|(?P<number>\d+(?:\.\d+)?)"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<sign>\|=|\|~|!=|!~|=~|==|>=|<=|[={}()\[\],|><]))"""
)
_OVER_TIME = ("count_over_time", "rate", "sum_over_time", "avg_over_time", "max_over_time", "min_over_time")
_QUANTILE = "quantile_over_time"
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class ParseError(Exception):
    """What Loki answers 400 with."""


@dataclass
class Pipeline:
    """A parsed log query."""

    matchers: list[tuple[str, str, str]] = field(default_factory=list)
    stages: list[tuple[str, ...]] = field(default_factory=list)
    unwrap: str = ""


@dataclass
class Aggregation:
    """A parsed metric query."""

    function: str
    pipeline: Pipeline
    seconds: float
    quantile: float = 0.0
    by: tuple[str, ...] | None = None
    total: bool = False


class Parser:
    """Reads one expression to its end."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []
        place, text = 0, text.rstrip()
        while place < len(text):
            found = _TOKENS.match(text, place)
            if not found:
                raise ParseError(f"parse error at line 1, col {place + 1}: syntax error: unexpected character")
            self._tokens.append((str(found.lastgroup and _kind(found)), found["token"], found.start("token") + 1))
            place = found.end()

    def parse(self) -> Pipeline | Aggregation:
        found = self._log() if self._peek() == "{" else self._metric()
        if self._tokens:
            self._fail()
        return found

    def _metric(self) -> Aggregation:
        word = self._take("word")
        if word == "sum":
            by = self._grouping()
            self._sign("(")
            inner = self._metric()
            self._sign(")")
            return Aggregation(
                inner.function, inner.pipeline, inner.seconds, inner.quantile, by or self._grouping(), True
            )
        if word not in (*_OVER_TIME, _QUANTILE):
            raise ParseError(f"parse error at line 1, col 1: syntax error: unexpected IDENTIFIER {word}")
        self._sign("(")
        quantile = 0.0
        if word == _QUANTILE:
            quantile = float(self._take("number"))
            self._sign(",")
        pipeline = self._log()
        self._sign("[")
        seconds = _seconds(self._take("duration"))
        self._sign("]")
        self._sign(")")
        if bool(pipeline.unwrap) is (word in ("count_over_time", "rate")):
            raise ParseError(
                f"parse error : invalid aggregation {word} {'with' if pipeline.unwrap else 'without'} unwrap"
            )
        return Aggregation(word, pipeline, seconds, quantile, self._grouping())

    def _grouping(self) -> tuple[str, ...] | None:
        if self._peek() != "by":
            return None
        self._next()
        self._sign("(")
        names = [self._take("word")]
        while self._peek() == ",":
            self._next()
            names.append(self._take("word"))
        self._sign(")")
        return tuple(names)

    def _log(self) -> Pipeline:
        found = Pipeline()
        self._sign("{")
        while True:
            name, sign = self._take("word"), self._next()[1]
            if sign not in ("=", "!=", "=~", "!~"):
                raise ParseError(f"parse error: syntax error: unexpected {sign}")
            found.matchers.append((name, sign, self._string()))
            if self._peek() != ",":
                break
            self._next()
        self._sign("}")
        if not any(sign in ("=", "=~") and value and not re.fullmatch(value, "") for _, sign, value in found.matchers):
            raise ParseError(
                "parse error : queries require at least one regexp or equality matcher that does not have an "
                'empty-compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will'
            )
        while self._peek() in ("|=", "|~", "!=", "!~", "|"):
            self._stage(found)
        return found

    def _stage(self, found: Pipeline) -> None:
        sign = self._next()[1]
        if sign != "|":
            found.stages.append((sign, self._string()))
            return
        word = self._take("word")
        if word in ("json", "logfmt"):
            found.stages.append((word,))
        elif word == "regexp":
            found.stages.append((word, self._string()))
        elif word == "unwrap":
            found.unwrap = self._take("word")
        elif self._peek() in ("=", "==", "!=", "=~", "!~", ">", "<", ">=", "<="):
            operator, (kind, value, _) = self._next()[1], self._next()
            found.stages.append(("label", word, operator, _unquoted(value) if kind == "string" else value))
        else:
            self._fail(word)

    def _peek(self) -> str:
        return self._tokens[0][1] if self._tokens else ""

    def _next(self) -> tuple[str, str, int]:
        if not self._tokens:
            raise ParseError("parse error : syntax error: unexpected $end")
        return self._tokens.pop(0)

    def _take(self, kind: str) -> str:
        found = self._next()
        if found[0] != kind:
            raise ParseError(f"parse error at line 1, col {found[2]}: syntax error: unexpected {found[1]}")
        return found[1]

    def _sign(self, sign: str) -> None:
        found = self._next()
        if found[1] != sign:
            raise ParseError(
                f"parse error at line 1, col {found[2]}: syntax error: unexpected {found[1]}, expecting {sign}"
            )

    def _string(self) -> str:
        return _unquoted(self._take("string"))

    def _fail(self, word: str = "") -> None:
        where = f"parse error at line 1, col {self._tokens[0][2] if self._tokens else 1}"
        raise ParseError(f"{where}: syntax error: unexpected {word or self._peek()}")


@dataclass
class FakeLoki:
    """Streams as (labels, [(unix seconds, line)]). `tenant` and `token` are asked for where set."""

    streams: list[tuple[Mapping[str, str], list[tuple[float, str]]]] = field(default_factory=list)
    tenant: str = ""
    token: str = ""
    busy: int = 0
    asked: list[Mapping[str, str]] = field(default_factory=list)

    def application(self) -> web.Application:
        """The server."""
        application = web.Application()
        application.router.add_route("*", "/loki/api/v1/query_range", self._range)
        application.router.add_get("/loki/api/v1/status/buildinfo", self._version)
        return application

    async def _version(self, request: web.Request) -> web.Response:
        return self._refused(request) or web.json_response({"version": "3.4.2", "revision": "", "branch": ""})

    async def _range(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        given = dict(request.query if request.method == "GET" else await request.post())
        self.asked.append({name: str(value) for name, value in given.items()})
        try:
            return web.json_response({"status": "success", "data": self._answer(self.asked[-1])})
        except ParseError as error:
            return web.Response(status=400, text=f"{error}\n")

    def _refused(self, request: web.Request) -> web.Response | None:
        if self.busy > 0:
            self.busy -= 1
            return web.Response(status=429, text="too many outstanding requests\n")
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401, text="Unauthorized\n")
        if self.tenant and request.headers.get("X-Scope-OrgID") != self.tenant:
            return web.Response(status=401, text="no org id\n")
        return None

    def _answer(self, given: Mapping[str, str]) -> dict[str, Any]:
        if unknown := set(given) - {"query", "limit", "start", "end", "since", "step", "interval", "direction"}:
            raise ParseError(f"unknown parameter {min(unknown)}")
        start, end = (_time(given, name) for name in ("start", "end"))
        if end < start:
            raise ParseError("end timestamp must not be before or equal to start time")
        direction = given.get("direction", "backward").lower()
        if direction not in ("forward", "backward"):
            raise ParseError(f"invalid direction '{direction}'")
        limit = int(given.get("limit", "100"))
        if limit > MOST_ENTRIES:
            raise ParseError(
                f"max entries limit per query exceeded, limit > max_entries_limit ({limit} > {MOST_ENTRIES})"
            )
        parsed = Parser(given["query"]).parse()
        if isinstance(parsed, Aggregation):
            return {
                "resultType": "matrix",
                "result": self._matrix(parsed, start, end, float(given["step"])),
                "stats": {},
            }
        entries = [item for item in self._entries(parsed) if start <= item[1] < end]
        entries.sort(key=lambda item: item[1], reverse=direction == "backward")
        return {"resultType": "streams", "result": _streams(entries[:limit]), "stats": {}}

    def _matrix(self, wanted: Aggregation, start: float, end: float, step: float) -> list[dict[str, Any]]:
        if (end - start) / step > 11000:
            raise ParseError("exceeded maximum resolution of 11,000 points per time series")
        groups: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        for labels, at, _ in self._entries(wanted.pipeline):
            number = 1.0
            if wanted.pipeline.unwrap:
                try:
                    number = float(labels[wanted.pipeline.unwrap])
                except (KeyError, ValueError):
                    raise ParseError("pipeline error: 'SampleExtractionErr'") from None
            kept = {name: value for name, value in labels.items() if name != wanted.pipeline.unwrap}
            if wanted.by is not None or wanted.total:
                kept = {name: kept[name] for name in wanted.by or () if name in kept}
            groups.setdefault(tuple(sorted(kept.items())), []).append((at, number))
        result = []
        for key, points in groups.items():
            values = []
            at = start
            while at <= end:
                inside = [number for moment, number in points if at - wanted.seconds < moment <= at]
                if inside:
                    values.append([at, f"{_over_time(wanted, inside):g}"])
                at += step
            if values:
                result.append({"metric": dict(key), "values": values})
        return result

    def _entries(self, wanted: Pipeline) -> Iterator[tuple[dict[str, str], float, str]]:
        for labels, lines in self.streams:
            if all(_fits(labels.get(name, ""), sign, value) for name, sign, value in wanted.matchers):
                for at, line in lines:
                    if (found := _piped(dict(labels), line, wanted.stages)) is not None:
                        yield found, at, line


def _kind(found: re.Match[str]) -> str:
    return next(name for name in ("string", "duration", "number", "word", "sign") if found[name] is not None)


def _seconds(text: str) -> float:
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdw])", text))


def _unquoted(text: str) -> str:
    return text[1:-1] if text[0] == "`" else str(json.loads(re.sub(r"\\x([0-9a-f]{2})", r"\\u00\1", text)))


def _time(given: Mapping[str, str], name: str) -> float:
    text = given.get(name, "")
    if not re.fullmatch(r"\d{19}", text):
        raise ParseError(f"could not parse '{name}' parameter: expected nanoseconds, got {text!r}")
    return int(text) / 1e9


def _fits(value: str, sign: str, wanted: str) -> bool:
    match sign:
        case "=" | "==":
            return value == wanted
        case "!=":
            return value != wanted
        case "=~":
            return re.fullmatch(wanted, value) is not None
        case "!~":
            return re.fullmatch(wanted, value) is None
        case _:
            compared = math.nan if not value else float(value)
            return {">": compared > float(wanted), "<": compared < float(wanted)}.get(sign[0], False)


def _piped(labels: dict[str, str], line: str, stages: Sequence[tuple[str, ...]]) -> dict[str, str] | None:
    """The labels behind the pipeline, or None where a filter drops the line."""
    for stage in stages:
        match stage:
            case ("|=", text) if text not in line:
                return None
            case ("!=", text) if text in line:
                return None
            case ("|~", text) if not re.search(text, line):
                return None
            case ("!~", text) if re.search(text, line):
                return None
            case ("regexp", text):
                found = re.search(text, line)
                labels |= {name: value for name, value in (found.groupdict() if found else {}).items() if value}
            case ("json",):
                labels |= {name: str(value) for name, value in json.loads(line).items()}
            case ("logfmt",):
                labels |= dict(re.findall(r'(\w+)="?([^"\s]*)', line))
            case ("label", name, sign, value) if not _fits(labels.get(name, ""), sign, value):
                return None
    return labels


def _over_time(wanted: Aggregation, numbers: Sequence[float]) -> float:
    match wanted.function:
        case "count_over_time":
            return len(numbers)
        case "rate":
            return len(numbers) / wanted.seconds
        case "sum_over_time":
            return sum(numbers)
        case "avg_over_time":
            return sum(numbers) / len(numbers)
        case "max_over_time":
            return max(numbers)
        case "min_over_time":
            return min(numbers)
        case _:
            ordered = sorted(numbers)
            place = wanted.quantile * (len(ordered) - 1)
            low = math.floor(place)
            return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def _streams(entries: Sequence[tuple[dict[str, str], float, str]]) -> list[dict[str, Any]]:
    found: dict[tuple[tuple[str, str], ...], list[list[str]]] = {}
    for labels, at, line in entries:
        found.setdefault(tuple(sorted(labels.items())), []).append([str(round(at * 1e9)), line])
    return [{"stream": dict(key), "values": values} for key, values in found.items()]
