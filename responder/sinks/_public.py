"""What sinks for the public share: only the public words of a message, and those only when told to publish."""

import hashlib
import json

from pydantic import Field, ValidationError

from responder.model.communication import PublicUpdate
from responder.model.message import Message
from responder.model.record import Record
from responder.sinks import Block, Preview, Sink
from responder.sinks._text import clean, cut

LONGEST_TITLE = 255
LONGEST_BODY = 25_000


class PublicSink(Sink):
    """Shows nothing but `Message.public`; what is not published is kept as draft in the receipt."""

    publish: bool = Field(
        False, description="whether updates are published; else they are only kept as drafts, for the preview"
    )

    def preview(self, message: Message) -> Preview:
        """The words for the public."""
        if message.public is None:
            said = "There is nothing to tell the public: the runbook has no words for it."
            return Preview(blocks=(Block(kind="text", text=said),), payload="nothing is sent")
        public = public_words(message.public)
        state = public.state if self.publish else f"{public.state} (draft: publish is off)"
        blocks = (
            Block(kind="heading", text=public.title),
            Block(kind="context", text=state),
            Block(kind="text", text=public.body),
        )
        document = public.model_dump(mode="json")
        return Preview(blocks=blocks, payload=json.dumps(document, ensure_ascii=False, indent=2))


class PublicReceipt(Record):
    """What the public sees: the id there, the last update by its fingerprint; or the draft that it does not see."""

    id: str = ""
    update: str = ""
    state: str = ""
    draft: PublicUpdate | None = None


def read(receipt: str) -> PublicReceipt:
    """The receipt, or an empty one."""
    try:
        return PublicReceipt.model_validate_json(receipt) if receipt else PublicReceipt()
    except ValidationError:
        return PublicReceipt()


def public_words(update: PublicUpdate) -> PublicUpdate:
    """The update, clean and cut. Angle brackets are replaced: status pages may read a body as HTML."""
    title = cut(_plain(" ".join(update.title.split())), LONGEST_TITLE) or "Incident"
    return update.model_copy(update={"title": title, "body": cut(_plain(update.body), LONGEST_BODY)})


def fingerprint(update: PublicUpdate) -> str:
    """Of what the public reads."""
    return _hash(f"{update.state}\n{update.title}\n{update.body}")


def public_key(message: Message) -> str:
    """A name of the incident that tells nothing of it."""
    return _hash(message.key)


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _plain(text: str) -> str:
    return clean(text).replace("<", "\u2039").replace(">", "\u203a").strip()
