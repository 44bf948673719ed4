"""Forms with files, read strictly (RFC 7578): from bytes, since the body was read before."""

import re
from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True)
class Part:
    """One field; `file` is empty where it is none."""

    name: str
    content: bytes
    file: str = ""
    content_type: str = ""


def multipart(request: web.Request, body: bytes) -> list[Part]:
    """The fields in their order."""
    found = re.search(r'boundary="?([^";]+)', request.headers["Content-Type"])
    assert found, "a form with files has a boundary"
    first, *parts, last = body.split(b"--" + found.group(1).encode())
    assert first == b""
    assert last == b"--\r\n"
    return [_part(part) for part in parts]


def _part(part: bytes) -> Part:
    head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head.decode().split("\r\n"))
    }
    told = dict(re.findall(r'(\w+)="([^"]*)"', headers["content-disposition"]))
    return Part(told["name"], content.removesuffix(b"\r\n"), told.get("filename", ""), headers.get("content-type", ""))
