"""The outbox: storms, doubts, and the installation's own key."""

import sqlalchemy as sa
from alembic import op

from responder.store.tables import Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("deliveries") as table:
        table.add_column(sa.Column("first_at", Moment(), nullable=True))
        table.add_column(sa.Column("storm", sa.String(), nullable=False, server_default=""))
        table.add_column(sa.Column("doubtful", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("deliveries_by_sink", "deliveries", ["sink", "first_at"], unique=False)
    op.create_index("deliveries_by_storm", "deliveries", ["storm"], unique=False)
    op.create_table(
        "storms",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("sink", sa.String(), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("joined_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "keys",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
