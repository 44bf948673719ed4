"""The status page as files: what the public reads, several incidents at once, whole files only."""

import asyncio
import errno
import json
import os
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from responder.errors import Permanent, Reason, Temporary
from responder.flow.message import compose
from responder.model.communication import PublicUpdate
from responder.model.message import Message
from responder.sinks import Medium, _status_board, status_file
from responder.sinks._public import read
from responder.sinks.status_file import StatusFile
from tests.makers import NOW
from tests.sinks.medium import medium
from tests.sinks.reports import diagnosed


def now(after: timedelta = timedelta()) -> Medium:
    given = medium(cast(aiohttp.ClientSession, None))
    return Medium(**{**given.__dict__, "now": NOW + after})


def sink(folder: Path, **options: Any) -> StatusFile:
    return StatusFile(name="files", folder=folder / "page", publish=True, **options)


def telling(
    state: Any = "investigating", body: str = "We look into it.", *, key: str = "4f2a", title: str = "Late messages"
) -> Message:
    public = PublicUpdate(state=state, title=title, body=body, at=NOW)
    return compose(diagnosed(id=key)).model_copy(update={"public": public})


def board(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "page" / "status.json").read_text())
    return found


def html(folder: Path) -> str:
    return (folder / "page" / "index.html").read_text()


async def test_an_incident_is_told_from_beginning_to_end(tmp_path: Path) -> None:
    files, receipt = sink(tmp_path), ""
    for state, body in (("investigating", "a"), ("identified", "b"), ("resolved", "c"), ("resolved", "c")):
        receipt = await files.deliver(telling(state, body), receipt, now())
    (one,) = board(tmp_path)["incidents"]
    assert [(update["state"], update["body"]) for update in one["updates"]] == [
        ("investigating", "a"),
        ("identified", "b"),
        ("resolved", "c"),
    ]
    assert "No incident is known." in html(tmp_path)
    assert "2026-03-04 03:00 UTC" in html(tmp_path)


async def test_open_incidents_come_first_and_are_counted(tmp_path: Path) -> None:
    files = sink(tmp_path, title="KubeChat")
    for key, state in (("1", "resolved"), ("2", "investigating"), ("3", "monitoring")):
        await files.deliver(telling(state, key=key, title=f"incident {key}"), "", now())
    page = html(tmp_path)
    assert "There are 2 incidents." in page
    assert "<h1>KubeChat</h1>" in page
    assert page.index("incident 2") < page.index("incident 1")
    assert page.index("incident 3") < page.index("incident 1")


async def test_nothing_of_ours_gets_out(tmp_path: Path) -> None:
    message = telling()
    await sink(tmp_path).deliver(message, "", now())
    for text in (html(tmp_path), str(board(tmp_path))):
        for secret in (message.key, message.headline, message.url, message.place):
            assert secret not in text


async def test_nothing_is_written_without_words_or_leave(tmp_path: Path) -> None:
    assert await sink(tmp_path).deliver(compose(diagnosed()), "kept", now()) == "kept"
    receipt = await StatusFile(name="files", folder=tmp_path / "page").deliver(telling(), "", now())
    assert read(receipt).draft is not None
    assert not (tmp_path / "page").exists()


async def test_what_is_over_goes_after_its_time_and_what_is_open_stays(tmp_path: Path) -> None:
    files = sink(tmp_path, keep_resolved="2d")
    await files.deliver(telling("resolved", key="over"), "", now())
    await files.deliver(telling(key="open"), "", now())
    await files.deliver(telling(key="later"), "", now(timedelta(days=2)))
    assert len(board(tmp_path)["incidents"]) == 3
    await files.deliver(telling(key="last"), "", now(timedelta(days=2, seconds=1)))
    assert len(board(tmp_path)["incidents"]) == 3
    assert "Resolved" not in html(tmp_path)


async def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    keys = [str(number) for number in range(20)]
    await asyncio.gather(*(sink(tmp_path).deliver(telling(key=key, title=key), "", now()) for key in keys))
    assert {one["title"] for one in board(tmp_path)["incidents"]} == set(keys)
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == [".lock", "index.html", "status.json"]


async def test_the_page_is_made_again_where_a_crash_left_only_the_data(tmp_path: Path) -> None:
    await sink(tmp_path).deliver(telling(), "", now())
    (tmp_path / "page" / "index.html").unlink()
    await sink(tmp_path).deliver(telling(), "", now())
    assert "Late messages" in html(tmp_path)


async def test_a_write_that_fails_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await sink(tmp_path).deliver(telling(), "", now())
    before = html(tmp_path), board(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Temporary, match="No space left") as caught:
        await sink(tmp_path).deliver(telling("resolved"), "", now())
    assert caught.value.reason is Reason.SERVER_ERROR
    assert (html(tmp_path), board(tmp_path)) == before
    assert len(list((tmp_path / "page").iterdir())) == 3


async def test_a_folder_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("somebody's")
    with pytest.raises(Permanent, match="folder of its own") as caught:
        await sink(tmp_path).deliver(telling(), "", now())
    assert caught.value.reason is Reason.NOT_CONFIGURED
    assert html(tmp_path) == "somebody's"
    (tmp_path / "page" / "status.json").write_text("{}")
    with pytest.raises(Permanent, match="move it away"):
        await sink(tmp_path).deliver(telling(), "", now())


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("a file")
    with pytest.raises(Permanent, match="cannot be written") as caught:
        await sink(tmp_path).deliver(telling(), "", now())
    assert caught.value.reason is Reason.NOT_CONFIGURED


async def test_who_holds_the_files_too_long_is_waited_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_file, "WAIT", 0.0)
    (tmp_path / "page").mkdir()
    with status_file._alone(tmp_path / "page" / ".lock"), pytest.raises(Temporary) as caught:
        await sink(tmp_path).deliver(telling(), "", now())
    assert caught.value.reason is Reason.OVERLOADED


async def test_words_of_strangers_are_no_markup(tmp_path: Path) -> None:
    await sink(tmp_path).deliver(telling(title="<b>شبكة 🔥", body='"><script>alert(1)</script>&amp;'), "", now())
    seen: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append(tag)

    Tags().feed(html(tmp_path))
    assert not {"script", "b"} & set(seen)
    assert "&amp;amp;" in html(tmp_path)
    assert "شبكة 🔥" in html(tmp_path)


def test_the_board_is_bounded_and_what_is_open_goes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_status_board, "MOST_INCIDENTS", 3)
    monkeypatch.setattr(_status_board, "MOST_UPDATES", 2)
    found = _status_board.Board(updated_at=NOW)
    for number, state in enumerate(("investigating", "resolved", "resolved", "resolved")):
        public = PublicUpdate.model_validate(
            {"state": state, "title": str(number), "body": "", "at": NOW + timedelta(minutes=number)}
        )
        found = _status_board.told(found, str(number), public, NOW, timedelta(days=1))
    assert [one.title for one in found.incidents] == ["0", "3", "2"]
    for body in "abc":
        public = PublicUpdate(state="monitoring", title="0", body=body, at=NOW)
        found = _status_board.told(found, "0", public, NOW, timedelta(days=1))
    assert [update.body for update in found.incidents[0].updates] == ["b", "c"]
