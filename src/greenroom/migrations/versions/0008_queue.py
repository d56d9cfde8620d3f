"""Since when an attempt has its place in the queue: what replaces one that waits takes over its place."""

from alembic import op

revision = "0008"
down_revision = "0007"
ORDER = "((CASE WHEN path::text = 'CONTACT'::text THEN 1 ELSE 0 END), {instant}, account_id, id)"
WAITS = "WHERE status::text = 'SUBMITTED'::text"


def upgrade() -> None:
    """Add it, from the hand-in for what is there, and have the queue read in its order."""
    op.execute("ALTER TABLE verifications ADD COLUMN queued_at TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE verifications NO FORCE ROW LEVEL SECURITY")  # else its owner sees no row
    op.execute("UPDATE verifications SET queued_at = submitted_at WHERE submitted_at IS NOT NULL")
    op.execute("ALTER TABLE verifications FORCE ROW LEVEL SECURITY")
    op.execute(
        "ALTER TABLE verifications ADD CONSTRAINT queued_when_handed_in"
        " CHECK ((queued_at IS NULL) = (submitted_at IS NULL))"
    )
    op.execute("DROP INDEX verifications_to_review")
    op.execute(f"CREATE INDEX verifications_to_review ON verifications {ORDER.format(instant='queued_at')} {WAITS}")


def downgrade() -> None:
    """Read the queue in the order of hand-ins again."""
    op.execute("DROP INDEX verifications_to_review")
    op.execute("ALTER TABLE verifications DROP COLUMN queued_at")
    op.execute(f"CREATE INDEX verifications_to_review ON verifications {ORDER.format(instant='submitted_at')} {WAITS}")
