-- The image cache: one row for each upload. Moments are in UTC.
-- Collations that ignore case or trailing spaces, and keys of 3,072 bytes at most, cannot hold what a path
-- is: the unique key is the sha256 of its bytes.
-- DDL ends transactions here, so every statement may be run again.
CREATE TABLE IF NOT EXISTS image_cache (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    content_type VARCHAR(255) NOT NULL DEFAULT '',
    object_id VARCHAR(255) NOT NULL DEFAULT '',
    original_path VARCHAR(2048) NOT NULL,
    path_hash BINARY(32) NOT NULL,
    image_url VARCHAR(2048) NOT NULL DEFAULT '',
    file_size BIGINT NOT NULL DEFAULT 0,
    content_type_header VARCHAR(255) NOT NULL DEFAULT '',
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    last_accessed DATETIME(6) NOT NULL,
    sha256 VARCHAR(64) NOT NULL DEFAULT '',
    mtime_ns BIGINT NOT NULL DEFAULT 0,
    mode INT NOT NULL DEFAULT 420,
    chunk_set BIGINT NULL,
    -- InnoDB reads the whole text to say whether it is NULL: lists ask this column.
    has_image_data TINYINT GENERATED ALWAYS AS (image_data IS NOT NULL) STORED,
    image_data LONGTEXT NULL,
    UNIQUE KEY image_cache_path (path_hash),
    KEY image_cache_chunk_set (chunk_set)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Raw bytes of payloads that do not go into the row, up to 1 MiB in each.
CREATE TABLE IF NOT EXISTS image_cache_chunk (
    chunk_set BIGINT NOT NULL,
    seq INT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    data LONGBLOB NOT NULL,
    PRIMARY KEY (chunk_set, seq)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
