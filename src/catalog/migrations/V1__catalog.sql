-- The catalog. Identifiers, names and sealed bytes are BLOB and compared bytewise; times are
-- milliseconds since the epoch. All data of an organization has org_id first in its primary key.
-- Where a row carries key_version and mac, they are its tag: see `Row` and `RowTag`.

CREATE TABLE organizations (
    org_id          BLOB    NOT NULL,
    slug            BLOB,
    state           INTEGER NOT NULL,
    created_ms      INTEGER NOT NULL,
    delete_after_ms INTEGER,
    destruction     BLOB,
    sequence        INTEGER NOT NULL,
    key_version     INTEGER NOT NULL,
    mac             BLOB    NOT NULL,
    PRIMARY KEY (org_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX organizations_by_slug ON organizations (slug);

CREATE INDEX organizations_by_deletion ON organizations (delete_after_ms)
    WHERE delete_after_ms IS NOT NULL;

-- Everything small that an organization keeps sealed, and the platform as organization 0. What
-- the numbers in kind mean: see `RecordKind`. Rows may be large, so they do not live in the tree
-- of their key.
CREATE TABLE records (
    org_id      BLOB    NOT NULL,
    kind        INTEGER NOT NULL,
    id          BLOB    NOT NULL,
    parent      BLOB,
    lookup      BLOB,
    state       INTEGER NOT NULL,
    created_ms  INTEGER NOT NULL,
    expires_ms  INTEGER,
    sealed      BLOB    NOT NULL,
    sequence    INTEGER NOT NULL,
    key_version INTEGER NOT NULL,
    mac         BLOB    NOT NULL,
    PRIMARY KEY (org_id, kind, id)
) STRICT;

CREATE UNIQUE INDEX records_by_lookup ON records (org_id, kind, lookup)
    WHERE lookup IS NOT NULL;
CREATE INDEX records_by_parent ON records (kind, parent, org_id, id)
    WHERE parent IS NOT NULL;
CREATE INDEX records_by_state ON records (org_id, kind, state, id);
CREATE INDEX records_by_expiry ON records (kind, expires_ms)
    WHERE expires_ms IS NOT NULL;

CREATE TABLE org_keys (
    org_id       BLOB    NOT NULL,
    version      INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    root_id      BLOB    NOT NULL,
    root_version INTEGER NOT NULL,
    wrapped      BLOB    NOT NULL,
    created_ms   INTEGER NOT NULL,
    sequence     INTEGER NOT NULL,
    key_version  INTEGER NOT NULL,
    mac          BLOB    NOT NULL,
    PRIMARY KEY (org_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE name_keys (
    org_id      BLOB    NOT NULL,
    sealed      BLOB    NOT NULL,
    key_version INTEGER NOT NULL,
    PRIMARY KEY (org_id)
) STRICT, WITHOUT ROWID;

-- The directory that finds a credential's organization: it is looked up before the organization
-- is known, by a name that only the platform's name key makes.
CREATE TABLE credentials (
    lookup       BLOB    NOT NULL,
    org_id       BLOB    NOT NULL,
    principal_id BLOB    NOT NULL,
    kind         INTEGER NOT NULL,
    sealed       BLOB    NOT NULL,
    created_ms   INTEGER NOT NULL,
    expires_ms   INTEGER,
    revoked_ms   INTEGER,
    sequence     INTEGER NOT NULL,
    key_version  INTEGER NOT NULL,
    mac          BLOB    NOT NULL,
    PRIMARY KEY (lookup)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX credentials_by_org ON credentials (org_id, lookup);
CREATE INDEX credentials_by_principal ON credentials (org_id, principal_id, lookup);
CREATE INDEX credentials_by_kind ON credentials (org_id, kind, lookup);
CREATE INDEX credentials_by_expiry ON credentials (expires_ms) WHERE expires_ms IS NOT NULL;

-- When a credential was last used: a hint, not authenticated, and of no meaning to any decision.
CREATE TABLE credential_uses (
    lookup  BLOB    NOT NULL,
    org_id  BLOB    NOT NULL,
    used_ms INTEGER NOT NULL,
    PRIMARY KEY (lookup)
) STRICT, WITHOUT ROWID;

CREATE INDEX credential_uses_by_org ON credential_uses (org_id);

CREATE TABLE buckets (
    org_id      BLOB    NOT NULL,
    name        BLOB    NOT NULL,
    bucket_id   BLOB    NOT NULL,
    created_ms  INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    key_version INTEGER NOT NULL,
    mac         BLOB    NOT NULL,
    PRIMARY KEY (org_id, name)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX buckets_by_id ON buckets (org_id, bucket_id);

-- In the order of a listing. The highest sequence of a key is its current version.
CREATE TABLE versions (
    org_id         BLOB    NOT NULL,
    bucket_id      BLOB    NOT NULL,
    key            BLOB    NOT NULL,
    sequence       INTEGER NOT NULL,
    version_id     BLOB    NOT NULL,
    is_null        INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    modified_ms    INTEGER NOT NULL,
    etag           BLOB    NOT NULL,
    parts          INTEGER NOT NULL,
    content_digest BLOB    NOT NULL,
    key_version    INTEGER NOT NULL,
    mac            BLOB    NOT NULL,
    PRIMARY KEY (org_id, bucket_id, key, sequence)
) STRICT, WITHOUT ROWID;

-- Either body or slices. Rows are large, so they do not live in the tree of their key.
CREATE TABLE contents (
    org_id      BLOB    NOT NULL,
    version_id  BLOB    NOT NULL,
    metadata    BLOB    NOT NULL,
    body        BLOB,
    slices      BLOB,
    key_version INTEGER NOT NULL,
    PRIMARY KEY (org_id, version_id)
) STRICT;

-- refs counts the versions and parts that name the blob; at 0 it stands in trash.
CREATE TABLE blobs (
    org_id      BLOB    NOT NULL,
    blob_id     BLOB    NOT NULL,
    header      BLOB    NOT NULL,
    key_version INTEGER NOT NULL,
    sealed_len  INTEGER NOT NULL,
    refs        INTEGER NOT NULL CHECK (refs >= 0),
    PRIMARY KEY (org_id, blob_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE trash (
    org_id        BLOB    NOT NULL,
    not_before_ms INTEGER NOT NULL,
    blob_id       BLOB    NOT NULL,
    PRIMARY KEY (org_id, not_before_ms, blob_id)
) STRICT, WITHOUT ROWID;

-- Blobs that may be deleted from the store. A commit that names one of them fails.
CREATE TABLE gc_claims (
    org_id  BLOB NOT NULL,
    blob_id BLOB NOT NULL,
    PRIMARY KEY (org_id, blob_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    org_id       BLOB    NOT NULL,
    bucket_id    BLOB    NOT NULL,
    key          BLOB    NOT NULL,
    upload_id    BLOB    NOT NULL,
    principal_id BLOB    NOT NULL,
    initiated_ms INTEGER NOT NULL,
    metadata     BLOB    NOT NULL,
    key_version  INTEGER NOT NULL,
    mac          BLOB    NOT NULL,
    PRIMARY KEY (org_id, bucket_id, key, upload_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX uploads_by_age ON uploads (initiated_ms, org_id, upload_id);

CREATE TABLE upload_parts (
    org_id      BLOB    NOT NULL,
    upload_id   BLOB    NOT NULL,
    part        INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    metadata    BLOB    NOT NULL,
    slices      BLOB    NOT NULL,
    key_version INTEGER NOT NULL,
    mac         BLOB    NOT NULL,
    PRIMARY KEY (org_id, upload_id, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_segments (
    org_id      BLOB    NOT NULL,
    node_id     BLOB    NOT NULL,
    number      INTEGER NOT NULL,
    first_ms    INTEGER NOT NULL,
    last_ms     INTEGER NOT NULL,
    sealed      BLOB    NOT NULL,
    key_version INTEGER NOT NULL,
    PRIMARY KEY (org_id, node_id, number)
) STRICT;

CREATE INDEX audit_segments_by_time
    ON audit_segments (org_id, last_ms, node_id, number, first_ms);

-- Appended by every transaction, and folded into usage_totals: no row is written twice. The
-- subject is the organization as a whole (kind 0, no bytes), or a principal or bucket in it.
CREATE TABLE usage_deltas (
    org_id       BLOB    NOT NULL,
    subject_kind INTEGER NOT NULL,
    hour_ms      INTEGER NOT NULL,
    subject      BLOB    NOT NULL,
    meter        INTEGER NOT NULL,
    delta        INTEGER NOT NULL,
    amount       INTEGER NOT NULL,
    PRIMARY KEY (org_id, subject_kind, hour_ms, subject, meter, delta)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_totals (
    org_id       BLOB    NOT NULL,
    subject_kind INTEGER NOT NULL,
    hour_ms      INTEGER NOT NULL,
    subject      BLOB    NOT NULL,
    meter        INTEGER NOT NULL,
    amount       INTEGER NOT NULL,
    PRIMARY KEY (org_id, subject_kind, hour_ms, subject, meter)
) STRICT, WITHOUT ROWID;

-- What is stored, for limits that are judged inside the commit. With a single writer a row for
-- each organization is written once for all commits that share a transaction; on many nodes, where
-- every commit would queue for it, escrow takes its place. Nothing stored is no row.
CREATE TABLE stored (
    org_id  BLOB    NOT NULL,
    bytes   INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    PRIMARY KEY (org_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE change_log (
    seq     INTEGER NOT NULL,
    org_id  BLOB    NOT NULL,
    at_ms   INTEGER NOT NULL,
    head    BLOB    NOT NULL,
    entries BLOB    NOT NULL,
    PRIMARY KEY (seq)
) STRICT, WITHOUT ROWID;

-- Where the log begins, once its first changes were pruned: the number and head of the last change
-- that is gone, and what all rows came to then (see `SealedRowSet`). One row, or none.
CREATE TABLE change_log_base (
    id     INTEGER NOT NULL CHECK (id = 0),
    seq    INTEGER NOT NULL,
    head   BLOB    NOT NULL,
    rows   INTEGER NOT NULL,
    sum    BLOB    NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;

-- What the changes that were pruned had left of each organization's rows, as of the head at which
-- its own were last pruned. Nothing left is no row.
CREATE TABLE folded_changes (
    org_id BLOB    NOT NULL,
    head   BLOB    NOT NULL,
    rows   INTEGER NOT NULL,
    sum    BLOB    NOT NULL,
    PRIMARY KEY (org_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    job       BLOB    NOT NULL,
    holder_id BLOB    NOT NULL,
    token     INTEGER NOT NULL,
    until_ms  INTEGER NOT NULL,
    PRIMARY KEY (job)
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
    node_id  BLOB    NOT NULL,
    seen_seq INTEGER NOT NULL,
    seen_ms  INTEGER NOT NULL,
    PRIMARY KEY (node_id)
) STRICT, WITHOUT ROWID;
