"""A named rewriting across accounts, by which idempotency keys go once they have lapsed."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Let the application find lapsed keys of every account by their age, and delete them."""
    op.execute("DROP INDEX idempotency_keys_by_age")
    op.execute("CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at)")
    op.execute(
        "CREATE POLICY lapsed_keys ON idempotency_keys"
        " USING (current_setting('greenroom.reading', true) = 'lapsed_keys')"
    )


def downgrade() -> None:
    """Take both back."""
    op.execute("DROP POLICY lapsed_keys ON idempotency_keys")
    op.execute("DROP INDEX idempotency_keys_by_age")
    op.execute("CREATE INDEX idempotency_keys_by_age ON idempotency_keys (account_id, created_at)")
