"""The other side that a log line names: host and port."""

import re

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?"
_PORT = r"(?P<port>\d{2,5})\b"
_TO = rf"(?P<host>{_HOST}):{_PORT}"
# host='x', port=1 · address: x:1 · server x, 1
_NAMED = r"(?:host|address|server|endpoint|addr|target|upstream)"
_MAYBE_PORT = rf"(?P<host>{_HOST})(?::(?P<port>\d+))?"
# The first that fits counts: what names the failing side for sure stands first.
_PEERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"lookup (?P<host>{_HOST})(?: on |:|\s)",
        rf"(?:ENOTFOUND|EAI_AGAIN) {_MAYBE_PORT}",
        rf"UnknownHostException:? {_MAYBE_PORT}",
        rf"(?:resolve|translate)(?:(?: host(?:name)?| name| address):? ['\"]?|:? ['\"]){_MAYBE_PORT}['\"]?",
        rf"unknown (?:mysql server )?host:? ['\"]?{_MAYBE_PORT}['\"]?",
        rf"(?:instance for(?: the service)?|servers? available for(?: the)? service):? ['\"]?(?P<host>{_HOST})",
        rf"(?:->|dial (?:tcp|udp)[46]? |E(?:CONNREFUSED|TIMEDOUT|HOSTUNREACH|CONNRESET) ){_TO}",
        rf"://(?:[^\s/@]+@)?{_MAYBE_PORT}(?:[/?\s\"',)]|$)",
        rf"{_NAMED}['\"]?\s*[=:]?\s*[('\"\[]*(?P<host>{_HOST})[/'\"]*(?::|,\s*(?:port['\"]?\s*[=:]\s*)?){_PORT}",
        r"(?P<host>[A-Za-z][\w.-]*)/\d+\.\d+\.\d+\.\d+:(?P<port>\d+)",
        rf"(?:^|[\s'\"(\[=@/]){_TO}",
    )
)
_SOURCE_FILE = re.compile(r"\.(?:go|py|js|mjs|ts|java|rb|cs|cc|cpp|c|rs|kt|php|html?)$", re.IGNORECASE)


def peer(text: str) -> tuple[str, int | None]:
    """Host and port of the other side that a text names; empty and None where it names none."""
    for pattern in _PEERS:
        for found in pattern.finditer(text):
            host, port = found["host"].rstrip("."), found.groupdict().get("port")
            if _is_peer(host, port):
                return host, int(port) if port else None
    return "", None


def _is_peer(host: str, port: str | None) -> bool:
    """Whether it is a host at all: not a source position (`main.go:12`), not a clock (`12:34`)."""
    if port is not None and not 0 < int(port) < 65536:
        return False
    return not host.isdigit() and not _SOURCE_FILE.search(host)
