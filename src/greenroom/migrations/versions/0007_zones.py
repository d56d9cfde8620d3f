"""The machine-readable zone as it was read from a photo, sealed, and whether it is certain."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add both; photos that are here already were not read."""
    op.execute(
        "ALTER TABLE documents ADD COLUMN zone BYTEA, ADD COLUMN is_zone_certain BOOLEAN,"
        " ADD CONSTRAINT zone_certain_or_not CHECK ((zone IS NULL) = (is_zone_certain IS NULL))"
    )


def downgrade() -> None:
    """Drop what was read; it can be typed in."""
    op.execute("ALTER TABLE documents DROP COLUMN zone, DROP COLUMN is_zone_certain")
