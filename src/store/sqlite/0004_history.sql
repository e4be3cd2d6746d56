-- Former entries: contents that were replaced (versions), and entries that were deleted or removed (the trash).
-- A row is the entry as it was, from updated_at, when this content became the path's, until ended_at. It refers to
-- its payload as an entry does.
CREATE TABLE image_cache_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content_type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    original_path TEXT NOT NULL COLLATE BINARY,
    image_url TEXT NOT NULL,
    file_size INTEGER NOT NULL,
    content_type_header TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_accessed TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    mtime_ns INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    chunk_set INTEGER,
    ended_at TEXT NOT NULL,
    -- 'replaced' by another content, 'deleted' on disk by the app, or 'removed' by a person or a cleanup.
    why TEXT NOT NULL,
    image_data TEXT
);

-- The history of a path: ids are in the order in which its contents ceased.
CREATE INDEX image_cache_history_path ON image_cache_history (original_path, id);

-- What is old enough to go, and the figures.
CREATE INDEX image_cache_history_end ON image_cache_history (why, ended_at, file_size);

-- Which row refers to a chunk set, and which to the object of a content?
CREATE INDEX image_cache_history_chunk_set ON image_cache_history (chunk_set) WHERE chunk_set IS NOT NULL;
CREATE INDEX image_cache_history_object ON image_cache_history (sha256) WHERE image_url <> '';
