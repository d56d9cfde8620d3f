"""Who reviews what, what they note, who is barred; and the reads across accounts that this takes."""

from alembic import op

revision = "0005"
down_revision = "0004"

# A bar has no account: it follows the person into every one.
TABLES = """
CREATE TABLE review_tasks (
    account_id UUID NOT NULL,
    id UUID NOT NULL,
    assignee VARCHAR(255),
    claim_expires_at TIMESTAMP WITH TIME ZONE,
    is_escalated BOOLEAN NOT NULL,
    PRIMARY KEY (account_id, id),
    CONSTRAINT review_tasks_of_verification FOREIGN KEY(account_id, id) REFERENCES verifications (account_id, id),
    CONSTRAINT claimed_until CHECK ((assignee IS NULL) = (claim_expires_at IS NULL))
);
CREATE TABLE review_notes (
    account_id UUID NOT NULL,
    id UUID NOT NULL,
    task_id UUID NOT NULL,
    author VARCHAR(255) NOT NULL,
    text BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (account_id, id),
    CONSTRAINT review_notes_of_task FOREIGN KEY(account_id, task_id) REFERENCES review_tasks (account_id, id)
);
CREATE INDEX review_notes_by_task ON review_notes (account_id, task_id, id);
CREATE TABLE bars (
    mark BYTEA NOT NULL,
    barred_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (mark)
);
CREATE INDEX verifications_to_review ON verifications
    ((CASE WHEN path::text = 'CONTACT'::text THEN 1 ELSE 0 END), submitted_at, account_id, id)
    WHERE status::text = 'SUBMITTED'::text;
CREATE INDEX verifications_reviewed ON verifications (decided_at DESC, account_id DESC, id DESC)
    WHERE decided_at IS NOT NULL;
CREATE INDEX verifications_of_passport ON verifications (passport_fingerprint)
    WHERE passport_fingerprint IS NOT NULL;
"""
GRANTS = {
    "review_tasks": "SELECT, INSERT, UPDATE",
    "review_notes": "SELECT, INSERT",
}
# Of the reviewers, and of the job that follows a decision into the rooms of every account.
READ = (
    "accounts",
    "anchors",
    "anchor_keys",
    "cast_members",
    "live_rooms",
    "review_notes",
    "review_tasks",
    "reviews",
    "verifications",
)


def upgrade() -> None:
    """Make the tables and what the application may do there."""
    run(TABLES)
    for table, privileges in GRANTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY own ON {table} USING"
            " (account_id = nullif(current_setting('greenroom.account_id', true), '')::uuid)"
        )
        op.execute(f"GRANT {privileges} ON {table} TO greenroom_app")
    op.execute("GRANT SELECT, INSERT ON bars TO greenroom_app")
    for table in READ:
        op.execute(
            f"CREATE POLICY review ON {table} FOR SELECT USING (current_setting('greenroom.reading', true) = 'review')"
        )


def downgrade() -> None:
    """Drop all of it."""
    for table in READ:
        op.execute(f"DROP POLICY review ON {table}")
    run(
        "DROP INDEX verifications_of_passport; DROP INDEX verifications_reviewed; DROP INDEX verifications_to_review;"
        " DROP TABLE bars; DROP TABLE review_notes; DROP TABLE review_tasks"
    )


def run(script: str) -> None:
    """Run several statements, none of which holds a semicolon of its own."""
    for statement in filter(str.strip, script.split(";")):
        op.execute(statement)
