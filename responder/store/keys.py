"""The installation's own secrets, made when first needed."""

import secrets

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from responder.store.tables import keys


def signing(connection: Connection) -> str:
    """The key that signs addresses; the same for the life of the database."""
    made = {"name": "signing", "value": secrets.token_urlsafe(32)}
    connection.execute(insert(keys).values(made).on_conflict_do_nothing())
    return str(connection.scalar(select(keys.c.value).where(keys.c.name == "signing")))
