"""A status page as files: JSON and HTML in a folder that any web server can serve."""

import asyncio
import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import Field, ValidationError

from responder.errors import Permanent, Reason, Temporary
from responder.model.communication import PublicUpdate
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview
from responder.sinks._public import PublicReceipt, PublicSink, fingerprint, public_key, public_words, read
from responder.sinks._status_board import Board, page, told

DATA, PAGE, LOCK = "status.json", "index.html", ".lock"
WAIT = 5.0
"""Seconds to wait for another that writes."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE)


class StatusFile(PublicSink):
    """Writes what the public is told of all incidents as `status.json` and `index.html`, in a folder of their own.

    Only the words of the runbook's templates are in there, and only when `publish` is set. The files are replaced as
    a whole, so that nobody reads half of one.
    """

    folder: Path = Field(description="where to write; of its own, made if it is not there")
    title: str = Field("Status", min_length=1, max_length=100, description="the heading of the page")
    keep_resolved: Duration = Field(
        timedelta(days=7), description="how long incidents stay on the page after their end"
    )

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Add the update to the files; nothing where there are no public words."""
        if message.public is None:
            return receipt
        public = public_words(message.public)
        if not self.publish:
            return read(receipt).model_copy(update={"draft": public}).model_dump_json()
        key = public_key(message)
        try:
            await asyncio.to_thread(self._write, key, public, medium.now)
        except OSError as error:
            said = f"{self.folder} cannot be written: {error.strerror or error}"
            if error.errno in _FULL:
                raise Temporary(said, Reason.SERVER_ERROR) from None
            raise Permanent(said, Reason.NOT_CONFIGURED) from None
        return PublicReceipt(id=key, update=fingerprint(public), state=public.state).model_dump_json()

    def preview(self, message: Message) -> Preview:
        """The words, and the page with this incident alone."""
        words = super().preview(message)
        if message.public is None:
            return words
        alone = Board(updated_at=message.public.at)
        board = told(alone, public_key(message), public_words(message.public), message.public.at, self.keep_resolved)
        blocks = (*words.blocks, Block(kind="html", text=page(board, self.title)))
        return Preview(blocks=blocks, payload=board.model_dump_json(indent=2))

    def _write(self, key: str, public: PublicUpdate, now: datetime) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with _alone(self.folder / LOCK):
            before = self._read(now)
            after = told(before, key, public, now, self.keep_resolved)
            if after == before and (self.folder / PAGE).exists():
                return
            _replace(self.folder / DATA, after.model_dump_json(indent=2))
            _replace(self.folder / PAGE, page(after, self.title))

    def _read(self, now: datetime) -> Board:
        """What is there; raises Permanent where the files are not ours."""
        file = self.folder / DATA
        if not file.exists():
            if (self.folder / PAGE).exists():
                said = f"{self.folder} has a page that is not ours: give the sink a folder of its own"
                raise Permanent(said, Reason.NOT_CONFIGURED)
            return Board(updated_at=now)
        try:
            return Board.model_validate_json(file.read_bytes())
        except ValidationError:
            said = f"{file} is not as we wrote it: move it away, or give the sink a folder of its own"
            raise Permanent(said, Reason.NOT_CONFIGURED) from None


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep other writers out, those of other processes too."""
    with lock.open("a") as held:
        until = time.monotonic() + WAIT
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Temporary(f"{lock} is held by another", Reason.OVERLOADED) from None
                time.sleep(0.05)
        yield


def _replace(target: Path, text: str) -> None:
    """Write the whole file beside its place, then put it there."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
