-- The ledger of objects: which contents in an object store are spoken for, and which have been let go of.

-- Whose objects these are: one row, made at the first migration and never changed.
CREATE TABLE image_cache_identity (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
);

-- Entries to come that will refer to the object of a content.
CREATE TABLE image_cache_claim (
    id INTEGER PRIMARY KEY,
    content TEXT NOT NULL,
    since TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
);

CREATE INDEX image_cache_claim_content ON image_cache_claim (content);

-- Objects that an entry has let go of.
CREATE TABLE image_cache_loose_object (
    content TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    since TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
    removing_since TEXT
) WITHOUT ROWID;

CREATE INDEX image_cache_loose_object_since ON image_cache_loose_object (since);

-- Which entry refers to the object of a content?
CREATE INDEX image_cache_object ON image_cache (sha256) WHERE image_url <> '';
