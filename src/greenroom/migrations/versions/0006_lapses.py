"""What writes down that approvals ended and warns before they do: a reading across accounts, and what was warned."""

from alembic import op

revision = "0006"
down_revision = "0005"
READ = ("verifications", "live_rooms", "cast_members")


def upgrade() -> None:
    """Let the worker find what ends, by a small index, and whom that concerns."""
    op.execute(
        "ALTER TABLE verifications ADD COLUMN warned_days SMALLINT"
        " CONSTRAINT warned_at_known_days CHECK (warned_days IN (30, 7))"
    )
    op.execute(
        "CREATE INDEX verifications_to_expire ON verifications (ends_at)"
        " WHERE status = 'APPROVED' AND ends_at IS NOT NULL"
    )
    for table in READ:
        op.execute(
            f"CREATE POLICY lapsing ON {table} FOR SELECT USING (current_setting('greenroom.reading', true) = 'lapsing')"
        )


def downgrade() -> None:
    """Take all of it back."""
    for table in READ:
        op.execute(f"DROP POLICY lapsing ON {table}")
    op.execute("DROP INDEX verifications_to_expire")
    op.execute("ALTER TABLE verifications DROP COLUMN warned_days")
