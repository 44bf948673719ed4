"""What was proposed, approved and done."""

import sqlalchemy as sa
from alembic import op

from responder.store.tables import Moment

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "actions",
        sa.Column("incident_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "action", "number"),
    )
    op.create_index("actions_by_start", "actions", ["started_at"], unique=False)
