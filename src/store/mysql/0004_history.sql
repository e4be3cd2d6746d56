-- Former entries: contents that were replaced (versions), and entries that were deleted or removed (the trash).
-- A row is the entry as it was, from updated_at, when this content became the path's, until ended_at. It refers to
-- its payload as an entry does.
-- DDL ends transactions here, so every statement may be run again.
CREATE TABLE IF NOT EXISTS image_cache_history (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    content_type VARCHAR(255) NOT NULL,
    object_id VARCHAR(255) NOT NULL,
    original_path VARCHAR(2048) NOT NULL,
    path_hash BINARY(32) NOT NULL,
    image_url VARCHAR(2048) NOT NULL,
    file_size BIGINT NOT NULL,
    content_type_header VARCHAR(255) NOT NULL,
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    last_accessed DATETIME(6) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    mtime_ns BIGINT NOT NULL,
    mode INT NOT NULL,
    chunk_set BIGINT NULL,
    ended_at DATETIME(6) NOT NULL,
    -- 'replaced' by another content, 'deleted' on disk by the app, or 'removed' by a person or a cleanup.
    why VARCHAR(16) NOT NULL,
    has_image_data TINYINT GENERATED ALWAYS AS (image_data IS NOT NULL) STORED,
    image_data LONGTEXT NULL,
    -- The history of a path: ids are in the order in which its contents ceased.
    KEY image_cache_history_path (path_hash, id),
    -- What is old enough to go, and the figures.
    KEY image_cache_history_end (why, ended_at, file_size),
    KEY image_cache_history_chunk_set (chunk_set),
    KEY image_cache_history_object (sha256(16))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
