-- The image cache: one row for each upload. Moments are texts in UTC, as Django writes them.
-- The payload is the last column: lists that do not ask for it never read its pages.
CREATE TABLE image_cache (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content_type TEXT NOT NULL DEFAULT '',
    object_id TEXT NOT NULL DEFAULT '',
    original_path TEXT NOT NULL COLLATE BINARY UNIQUE,
    image_url TEXT NOT NULL DEFAULT '',
    file_size INTEGER NOT NULL DEFAULT 0,
    content_type_header TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
    last_accessed TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
    sha256 TEXT NOT NULL DEFAULT '',
    mtime_ns INTEGER NOT NULL DEFAULT 0,
    mode INTEGER NOT NULL DEFAULT 420,
    chunk_set INTEGER,
    image_data TEXT
);

-- Which entry refers to a chunk set?
CREATE INDEX image_cache_chunk_set ON image_cache (chunk_set) WHERE chunk_set IS NOT NULL;

-- Raw bytes of payloads that do not go into the row, up to 1 MiB in each.
CREATE TABLE image_cache_chunk (
    chunk_set INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
    data BLOB NOT NULL,
    PRIMARY KEY (chunk_set, seq)
);
