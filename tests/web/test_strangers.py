"""What strangers try on the pages and the API, and that nothing comes of it."""

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from tests.service import Running, Starter, alert, start_service

__all__ = ["start_service"]

pytestmark = pytest.mark.integration

KNOWN = {"auth": {"basic": [{"username": "ada", "password": "correct horse"}], "protect_pages": False}}
ADA = {"Authorization": aiohttp.encode_basic_auth("ada", "correct horse")}


def modes(database: Path) -> dict[str, str]:
    """The rights of the database and of the files beside it."""
    return {file.name: oct(file.stat().st_mode & 0o777) for file in database.parent.glob(f"{database.name}*")}


async def incident(service: Running) -> str:
    await service.post(alert(pod="websocket-0"))
    return str((await service.incident())["id"])


async def test_with_open_pages_a_stranger_reads_and_changes_nothing(start_service: Starter) -> None:
    service = await start_service("crash_loop", **KNOWN)
    body = {"receiver": "responder", "status": "firing", "alerts": [alert(pod="websocket-0")]}
    async with service.session.post(f"{service.url}/api/v1/alertmanager", json=body, headers=ADA) as answer:
        assert answer.status == 200
    name = str((await service.incident())["id"])
    path = f"{service.url}/api/v1/incidents/{name}/acknowledge"
    async with service.session.get(f"{service.url}/incidents/{name}") as page:
        assert page.status == 200
    async with service.session.post(path, json={"by": "stranger"}) as refused:
        assert refused.status == 401
    async with service.session.post(path, json={"by": "ada"}, headers=ADA) as taken:
        assert taken.status == 200


async def test_a_name_that_was_made_to_lead_here_is_refused(start_service: Starter) -> None:
    service = await start_service("crash_loop")
    name = await incident(service)
    for method, path in (("GET", "incidents"), ("POST", f"incidents/{name}/acknowledge")):
        headers = {"Host": "evil.example"}
        async with service.session.request(method, f"{service.url}/api/v1/{path}", json={}, headers=headers) as answer:
            assert answer.status == 421
            assert "external_url" in await answer.text()


async def test_a_foreign_page_cannot_post_a_webhook_with_remembered_credentials(start_service: Starter) -> None:
    service = await start_service("crash_loop", auth={"basic": [{"username": "am", "password": "secret of am"}]})
    body = {"receiver": "responder", "status": "resolved", "alerts": [alert(pod="websocket-0")]}
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    credentials = {"Authorization": aiohttp.encode_basic_auth("am", "secret of am")}
    url = f"{service.url}/api/v1/alertmanager"
    async with service.session.post(url, json=body, headers=headers | credentials) as answer:
        assert answer.status == 403
    async with service.session.post(url, json=body, headers=credentials) as answer:
        assert answer.status == 200


async def test_a_preview_holds_no_address_that_works(start_service: Starter) -> None:
    sink = {"name": "mail", "kind": "email", "host": "127.0.0.1", "sender": "r@example.com", "to": ["a@example.com"]}
    service = await start_service("crash_loop", sinks=[sink], external_url="http://responder.example")
    name = await incident(service)
    async with service.session.get(f"{service.url}/sinks/mail?incident={name}") as page:
        text = await page.text()
    async with service.session.get(f"{service.url}/sinks/mail/document/{name}?incident={name}") as page:
        text += await page.text()
    tokens = set(re.findall(r"/say/([\w.-]+)", text))
    assert tokens
    for token in tokens:
        async with service.session.get(f"{service.url}/say/{token}") as answer:
            assert answer.status == 404


async def test_the_database_is_for_nobody_else_to_read(start_service: Starter) -> None:
    service = await start_service("crash_loop")
    await incident(service)
    assert modes(service.database) == {"r.db": "0o600", "r.db-wal": "0o600", "r.db-shm": "0o600", "r.db.lock": "0o600"}


async def test_a_call_that_comes_in_two_pieces_is_read_whole(start_service: Starter) -> None:
    sink = {"name": "slack", "kind": "slack", "token": "xoxb-1", "channel": "C1", "signing_secret": "s"}
    service = await start_service("crash_loop", sinks=[sink])
    host, port = service.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b"payload=%7B%22type%22%3A%22block_actions%22%7D"
    head = f"POST /api/v1/sinks/slack/events HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
    stamp = str(int(asyncio.get_running_loop().time()))
    writer.write(f"{head}X-Slack-Request-Timestamp: {stamp}\r\nConnection: close\r\n\r\n".encode() + body[:10])
    await writer.drain()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.5)
    writer.write(body[10:])
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 20)
    assert answer.startswith(b"HTTP/1.1 4")
    writer.close()
