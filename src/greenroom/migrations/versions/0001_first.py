"""The first tables: accounts, anchors, verifications, rooms, the policy in force, events.

Every tenant table is led by its account, stands under forced row security, and grants the application's role no more
than it needs. The scope of a transaction comes from settings local to it; without one no row is visible.
"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE accounts (
    account_id UUID NOT NULL,
    external_id VARCHAR(120) NOT NULL,
    kind VARCHAR(40) NOT NULL,
    nationality VARCHAR(3) NOT NULL,
    name VARCHAR(120) NOT NULL,
    search_name TEXT COLLATE "C" NOT NULL,
    first_submitted_at TIMESTAMP WITH TIME ZONE,
    version INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (account_id),
    CONSTRAINT account_kind CHECK (kind IN ('SELLER', 'BLOGGER'))
);
CREATE INDEX accounts_by_name ON accounts (search_name, account_id);
CREATE TABLE event_heads (
    account_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (account_id)
);
CREATE TABLE idempotency_keys (
    account_id UUID NOT NULL,
    actor VARCHAR(255) NOT NULL,
    key VARCHAR(255) NOT NULL,
    digest BYTEA NOT NULL,
    result_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (account_id, actor, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (account_id, created_at);
CREATE TABLE policy_in_force (
    one INTEGER NOT NULL,
    name VARCHAR(40) NOT NULL,
    launch_at TIMESTAMP WITH TIME ZONE,
    revision INTEGER NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (one),
    CONSTRAINT policy_is_one CHECK (one = 1)
);
CREATE TABLE anchors (
    account_id UUID NOT NULL,
    id UUID NOT NULL,
    display_name VARCHAR(80) NOT NULL,
    search_name TEXT COLLATE "C" NOT NULL,
    nationality VARCHAR(3) NOT NULL,
    consent_version VARCHAR(40),
    consented_at TIMESTAMP WITH TIME ZONE,
    consent_withdrawn_at TIMESTAMP WITH TIME ZONE,
    remembered_at TIMESTAMP WITH TIME ZONE,
    last_used_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_appeared_at TIMESTAMP WITH TIME ZONE,
    last_location VARCHAR(40),
    unlocked_at TIMESTAMP WITH TIME ZONE,
    forgotten_at TIMESTAMP WITH TIME ZONE,
    version INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (account_id, id),
    CONSTRAINT anchors_of_account FOREIGN KEY(account_id) REFERENCES accounts (account_id),
    CONSTRAINT last_location CHECK (last_location IN ('IN_CHINA', 'OUTSIDE_CHINA'))
);
CREATE INDEX anchors_by_name ON anchors (account_id, search_name, id) WHERE forgotten_at IS NULL;
CREATE INDEX anchors_remembered ON anchors (account_id, last_used_at DESC, id DESC) WHERE remembered_at IS NOT NULL AND forgotten_at IS NULL;
CREATE TABLE events (
    account_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    action VARCHAR(60) NOT NULL,
    subject_type VARCHAR(40) NOT NULL,
    subject_id UUID NOT NULL,
    anchor_id UUID,
    actor VARCHAR(255) NOT NULL,
    actor_kind VARCHAR(40) NOT NULL,
    purpose VARCHAR(500),
    occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
    detail JSONB NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (account_id, seq),
    CONSTRAINT events_of_head FOREIGN KEY(account_id) REFERENCES event_heads (account_id),
    CONSTRAINT actor_kind CHECK (actor_kind IN ('OWNER', 'STAFF', 'SERVICE'))
);
CREATE INDEX events_by_instant ON events (occurred_at, account_id, seq);
CREATE INDEX events_reads_of_anchor ON events (account_id, anchor_id, seq DESC) WHERE purpose IS NOT NULL;
CREATE TABLE live_rooms (
    account_id UUID NOT NULL,
    id UUID NOT NULL,
    title VARCHAR(120) NOT NULL,
    status VARCHAR(40) NOT NULL,
    scheduled_start_at TIMESTAMP WITH TIME ZONE NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    end_reason VARCHAR(40),
    is_flagged BOOLEAN NOT NULL,
    version INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (account_id, id),
    CONSTRAINT live_rooms_of_account FOREIGN KEY(account_id) REFERENCES accounts (account_id),
    CONSTRAINT live_has_started CHECK ((status IN ('LIVE', 'ENDED')) = (started_at IS NOT NULL)),
    CONSTRAINT ended_has_instant CHECK ((status = 'ENDED') = (ended_at IS NOT NULL)),
    CONSTRAINT live_room_status CHECK (status IN ('SCHEDULED', 'LIVE', 'ENDED', 'CANCELED')),
    CONSTRAINT end_reason CHECK (end_reason IN ('REJECTION', 'STAFF'))
);
CREATE INDEX live_rooms_ahead ON live_rooms (scheduled_start_at, id) WHERE status IN ('SCHEDULED', 'LIVE');
CREATE INDEX live_rooms_by_status ON live_rooms (account_id, status, id DESC);
CREATE TABLE admission_records (
    account_id UUID NOT NULL,
    id UUID NOT NULL,
    room_id UUID NOT NULL,
    admitted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    evidence JSONB NOT NULL,
    event_seq INTEGER NOT NULL,
    chain_hash BYTEA NOT NULL,
    PRIMARY KEY (account_id, id),
    CONSTRAINT admission_records_of_room FOREIGN KEY(account_id, room_id) REFERENCES live_rooms (account_id, id)
);
CREATE INDEX admission_records_by_room ON admission_records (account_id, room_id, id);
CREATE TABLE anchor_keys (
    account_id UUID NOT NULL,
    anchor_id UUID NOT NULL,
    master_key_id VARCHAR(80) NOT NULL,
    wrapped BYTEA NOT NULL,
    PRIMARY KEY (account_id, anchor_id),
    CONSTRAINT anchor_keys_of_anchor FOREIGN KEY(account_id, anchor_id) REFERENCES anchors (account_id, id)
);
CREATE TABLE cast_members (
    account_id UUID NOT NULL,
    id UUID NOT NULL,
    room_id UUID NOT NULL,
    anchor_id UUID NOT NULL,
    position INTEGER NOT NULL,
    location VARCHAR(40) NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (account_id, id),
    CONSTRAINT cast_members_of_room FOREIGN KEY(account_id, room_id) REFERENCES live_rooms (account_id, id),
    CONSTRAINT cast_members_of_anchor FOREIGN KEY(account_id, anchor_id) REFERENCES anchors (account_id, id),
    CONSTRAINT cast_members_once UNIQUE (account_id, room_id, anchor_id),
    CONSTRAINT cast_location CHECK (location IN ('IN_CHINA', 'OUTSIDE_CHINA'))
);
CREATE INDEX cast_members_by_anchor ON cast_members (account_id, anchor_id);
CREATE TABLE verifications (
    account_id UUID NOT NULL,
    id UUID NOT NULL,
    anchor_id UUID NOT NULL,
    path VARCHAR(40) NOT NULL,
    status VARCHAR(40) NOT NULL,
    entry_point VARCHAR(40) NOT NULL,
    location VARCHAR(40) NOT NULL,
    consent_version VARCHAR(40) NOT NULL,
    nationality VARCHAR(3) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    submitted_at TIMESTAMP WITH TIME ZONE,
    decided_at TIMESTAMP WITH TIME ZONE,
    ends_at TIMESTAMP WITH TIME ZONE,
    documents_last_day DATE,
    is_retryable BOOLEAN,
    is_under_age BOOLEAN,
    strikes INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    legal_name BYTEA,
    email BYTEA,
    name_fingerprint BYTEA,
    email_fingerprint BYTEA,
    data_state VARCHAR(40) NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (account_id, id),
    CONSTRAINT verifications_of_anchor FOREIGN KEY(account_id, anchor_id) REFERENCES anchors (account_id, id),
    CONSTRAINT handed_in_has_instant CHECK (status IN ('DRAFT', 'CANCELED') OR submitted_at IS NOT NULL),
    CONSTRAINT rejected_says_whether_again CHECK (status <> 'REJECTED' OR is_retryable IS NOT NULL),
    CONSTRAINT contact_is_complete CHECK (path <> 'CONTACT' OR submitted_at IS NULL OR data_state = 'ERASED' OR (legal_name IS NOT NULL AND email IS NOT NULL)),
    CONSTRAINT verification_path CHECK (path IN ('TAOBAO_APP', 'PASSPORT_VISA', 'CONTACT')),
    CONSTRAINT verification_status CHECK (status IN ('DRAFT', 'SUBMITTED', 'APPROVED', 'REJECTED', 'EXPIRED', 'REVOKED', 'SUPERSEDED', 'CANCELED')),
    CONSTRAINT entry_point CHECK (entry_point IN ('CONSOLE_HOME', 'ROOM_EDITOR')),
    CONSTRAINT verification_location CHECK (location IN ('IN_CHINA', 'OUTSIDE_CHINA')),
    CONSTRAINT data_state CHECK (data_state IN ('ACTIVE', 'RESTRICTED', 'ERASED'))
);
CREATE INDEX verifications_by_email ON verifications (account_id, email_fingerprint);
CREATE INDEX verifications_by_name ON verifications (account_id, name_fingerprint);
CREATE INDEX verifications_newest ON verifications (account_id, anchor_id, path, submitted_at DESC, id DESC);
CREATE UNIQUE INDEX verifications_one_approved ON verifications (account_id, anchor_id, path) WHERE status = 'APPROVED';
CREATE UNIQUE INDEX verifications_one_awaiting_review ON verifications (account_id, anchor_id, path) WHERE status = 'SUBMITTED';
CREATE TABLE reviews (
    account_id UUID NOT NULL,
    id UUID NOT NULL,
    verification_id UUID NOT NULL,
    decision VARCHAR(40) NOT NULL,
    is_retryable BOOLEAN NOT NULL,
    findings JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (account_id, id),
    CONSTRAINT reviews_of_verification FOREIGN KEY(account_id, verification_id) REFERENCES verifications (account_id, id),
    CONSTRAINT review_decision CHECK (decision IN ('APPROVE', 'REJECT'))
);
CREATE INDEX reviews_newest ON reviews (account_id, verification_id, id DESC);
"""

# What `rates.py` leases from. Unlogged: after a crash every bucket is full again, which harms nobody.
RATES = """
CREATE UNLOGGED TABLE rate_buckets (
    actor_key text PRIMARY KEY,
    points double precision NOT NULL CHECK (points >= 0),
    leased double precision NOT NULL,
    updated_at timestamptz NOT NULL
)
"""

# Sets the scope of the running transaction: the account, the caller's accounts, a named read across accounts.
SCOPE = """
CREATE FUNCTION greenroom_scope(account uuid, accounts uuid[], reading text) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('greenroom.account_id', coalesce(account::text, ''), true);
    PERFORM set_config('greenroom.account_ids', coalesce(accounts::text, '{}'), true);
    PERFORM set_config('greenroom.reading', coalesce(reading, ''), true);
    RETURN true;
END $$
"""

APPEND_ONLY = """
CREATE FUNCTION greenroom_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""

# table -> what the application's role may do there
GRANTS = {
    "accounts": "SELECT, INSERT, UPDATE",
    "anchors": "SELECT, INSERT, UPDATE",
    "anchor_keys": "SELECT, INSERT, UPDATE, DELETE",
    "verifications": "SELECT, INSERT, UPDATE",
    "reviews": "SELECT, INSERT",
    "live_rooms": "SELECT, INSERT, UPDATE",
    "cast_members": "SELECT, INSERT, UPDATE, DELETE",
    "admission_records": "SELECT, INSERT",
    "event_heads": "SELECT, INSERT, UPDATE",
    "events": "SELECT, INSERT",
    "idempotency_keys": "SELECT, INSERT, UPDATE, DELETE",
}
PLATFORM_GRANTS = {  # tables without an account
    "policy_in_force": "SELECT, UPDATE",
    "rate_buckets": "SELECT, INSERT, UPDATE, DELETE",
    "alembic_version": "SELECT",
}
# Reads (and one rewriting) across accounts, by name; `db.Scope.reading` asks for them.
READINGS = {
    "accounts": ("SELECT", ("accounts",)),
    "policy_preview": (
        "SELECT",
        ("accounts", "anchors", "verifications", "reviews", "live_rooms", "cast_members"),
    ),
    "audit": ("SELECT", ("events", "event_heads", "admission_records")),
    "key_rotation": ("ALL", ("anchor_keys",)),
}


def upgrade() -> None:
    run(TABLES)
    op.execute(RATES)
    op.execute(SCOPE)
    op.execute(APPEND_ONLY)
    for table in ("events", "admission_records"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION greenroom_append_only()"
        )
    for table in GRANTS:
        guard(table)
    for reading, (privilege, tables) in READINGS.items():
        for table in tables:
            op.execute(
                f"CREATE POLICY {reading} ON {table} FOR {privilege}"
                f" USING (current_setting('greenroom.reading', true) = '{reading}')"
            )
    op.execute(
        "CREATE POLICY of_caller ON accounts FOR SELECT USING"
        " (account_id = ANY (nullif(current_setting('greenroom.account_ids', true), '')::uuid[]))"
    )
    op.execute(
        "INSERT INTO policy_in_force (one, name, launch_at, revision, changed_at)"
        " VALUES (1, 'aliexpress-2021', NULL, 1, now())"
    )
    op.execute(ROLE)
    for table, privileges in (GRANTS | PLATFORM_GRANTS).items():
        op.execute(f"GRANT {privileges} ON {table} TO greenroom_app")


ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'greenroom_app') THEN
        CREATE ROLE greenroom_app NOLOGIN;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'The role greenroom_app is missing, and % may not make it. As a superuser: CREATE ROLE greenroom_app NOLOGIN', current_user;
END $$
"""


def guard(table: str) -> None:
    """Show and take only rows of the transaction's account, from the owner of the table too."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY own ON {table} USING"
        " (account_id = nullif(current_setting('greenroom.account_id', true), '')::uuid)"
    )


def run(statements: str) -> None:
    """Run statements that hold no semicolons of their own."""
    for statement in filter(str.strip, statements.split(";")):
        op.execute(statement)


def downgrade() -> None:
    for table in (
        "reviews",
        "verifications",
        "cast_members",
        "anchor_keys",
        "admission_records",
        "live_rooms",
        "events",
        "anchors",
        "rate_buckets",
        "policy_in_force",
        "idempotency_keys",
        "event_heads",
        "accounts",
    ):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION greenroom_scope")
    op.execute("DROP FUNCTION greenroom_append_only")
