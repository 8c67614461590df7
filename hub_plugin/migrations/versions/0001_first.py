"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "sessions",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("user", sa.String(255), nullable=False, index=True),
        sa.Column("token", sa.String(255), nullable=False),
        sa.Column("form_token", sa.String(64), nullable=False),
        sa.Column("ends_at", sa.Float, nullable=False, index=True),
    )
    op.create_table(
        "visits",
        sa.Column("user", sa.String(255), primary_key=True),
        sa.Column("course", sa.String(64), primary_key=True),
        sa.Column("seen_at", sa.Float, nullable=False),
        sa.Column("present_at", sa.Float, nullable=False),
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("course", sa.String(64), primary_key=True),
        sa.Column("secret", sa.String(64), nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("course", sa.String(64), nullable=False, index=True),
        sa.Column("received_at", sa.Float, nullable=False, index=True),
        sa.Column("form", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("branch", sa.String(255)),
        sa.Column("commit", sa.String(64)),
        sa.Column("body_digest", sa.LargeBinary(32), nullable=False),
    )


def downgrade() -> None:
    """Take them away."""
    for table in ("deliveries", "webhook_secrets", "visits", "sessions"):
        op.drop_table(table)
