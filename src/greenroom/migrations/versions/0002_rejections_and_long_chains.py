"""An index for an account's recent rejections (X10), and room for as many events as a chain can have."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the index; widen the number by which a record names its event."""
    op.execute(
        "CREATE INDEX verifications_rejected ON verifications (account_id, decided_at) WHERE status = 'REJECTED'"
    )
    op.execute("ALTER TABLE admission_records ALTER COLUMN event_seq TYPE BIGINT")


def downgrade() -> None:
    """Take both back."""
    op.execute("ALTER TABLE admission_records ALTER COLUMN event_seq TYPE INTEGER")
    op.execute("DROP INDEX verifications_rejected")
