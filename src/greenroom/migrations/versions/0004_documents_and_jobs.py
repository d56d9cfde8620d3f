"""Photos of passports and visas, and the queue of the work that follows a commit."""

from alembic import op

from greenroom.jobs import install_sql

revision = "0004"
down_revision = "0003"

DOCUMENTS = """
CREATE TABLE documents (
    account_id UUID NOT NULL,
    id UUID NOT NULL,
    anchor_id UUID NOT NULL,
    batch_id UUID NOT NULL,
    kind VARCHAR(40) NOT NULL,
    status VARCHAR(40) NOT NULL,
    byte_size INTEGER NOT NULL,
    sha256 BYTEA NOT NULL,
    object_id UUID,
    likeness BYTEA,
    findings JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    uploaded_at TIMESTAMP WITH TIME ZONE,
    checked_at TIMESTAMP WITH TIME ZONE,
    handed_in_at TIMESTAMP WITH TIME ZONE,
    rejected_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (account_id, id),
    CONSTRAINT documents_of_anchor FOREIGN KEY(account_id, anchor_id) REFERENCES anchors (account_id, id),
    CONSTRAINT staged_until_uploaded CHECK ((status = 'STAGED') = (uploaded_at IS NULL)),
    CONSTRAINT uploaded_has_object CHECK (status NOT IN ('CHECKING', 'READY') OR object_id IS NOT NULL),
    CONSTRAINT document_kind CHECK (kind IN (
        'PASSPORT_DATA_PAGE', 'WORK_VISA', 'RESIDENCE_PERMIT', 'WORK_PERMIT', 'PERMANENT_RESIDENCE_CARD'
    )),
    CONSTRAINT document_status CHECK (status IN ('STAGED', 'CHECKING', 'READY', 'FAILED'))
);
CREATE INDEX documents_not_handed_in ON documents (account_id, anchor_id, id DESC) WHERE handed_in_at IS NULL;
CREATE INDEX documents_of_batch ON documents (account_id, batch_id);
CREATE INDEX documents_rejected ON documents (account_id) WHERE rejected_at IS NOT NULL;
CREATE INDEX documents_to_clear ON documents (expires_at) WHERE handed_in_at IS NULL;
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE documents FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON documents
    USING (account_id = nullif(current_setting('greenroom.account_id', true), '')::uuid);
CREATE POLICY clearing ON documents FOR SELECT
    USING (current_setting('greenroom.reading', true) = 'clearing');
GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO greenroom_app;
"""
EVIDENCE = """
CREATE TABLE verification_documents (
    account_id UUID NOT NULL,
    verification_id UUID NOT NULL,
    document_id UUID NOT NULL,
    last_day DATE NOT NULL,
    mrz BYTEA,
    PRIMARY KEY (account_id, verification_id, document_id),
    CONSTRAINT verification_documents_of_verification FOREIGN KEY(account_id, verification_id)
        REFERENCES verifications (account_id, id),
    CONSTRAINT verification_documents_of_document FOREIGN KEY(account_id, document_id)
        REFERENCES documents (account_id, id)
);
CREATE INDEX verification_documents_by_document ON verification_documents (account_id, document_id);
ALTER TABLE verification_documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE verification_documents FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON verification_documents
    USING (account_id = nullif(current_setting('greenroom.account_id', true), '')::uuid);
GRANT SELECT, INSERT ON verification_documents TO greenroom_app;
ALTER TABLE verifications
    ADD COLUMN date_of_birth BYTEA,
    ADD COLUMN passport_number BYTEA,
    ADD COLUMN passport_issuer BYTEA,
    ADD COLUMN passport_fingerprint BYTEA,
    ADD COLUMN passport_last_day DATE,
    ADD COLUMN work_last_day DATE,
    ADD COLUMN mrz_findings JSONB;
CREATE INDEX verifications_by_passport ON verifications (account_id, passport_fingerprint);
"""
QUEUE = """
GRANT USAGE ON SCHEMA jobs TO greenroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO greenroom_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO greenroom_app;
"""


def upgrade() -> None:
    """Make the table and the queue, with what the application may do there."""
    run(DOCUMENTS)
    run(EVIDENCE)
    run(install_sql())
    run(QUEUE)


def downgrade() -> None:
    """Drop both. The bytes in the store stay: `greenroom worker` clears what no row names."""
    run(
        "DROP TABLE verification_documents; DROP TABLE documents; DROP SCHEMA jobs CASCADE; ALTER TABLE verifications"
        " DROP COLUMN date_of_birth, DROP COLUMN passport_number, DROP COLUMN passport_issuer,"
        " DROP COLUMN passport_fingerprint, DROP COLUMN passport_last_day, DROP COLUMN work_last_day,"
        " DROP COLUMN mrz_findings"
    )


def run(script: str) -> None:
    """Run several statements at once, as only the driver itself does."""
    op.get_bind().connection.dbapi_connection.run_async(lambda raw: raw.execute(script))  # type: ignore[union-attr]  # asyncpg's
