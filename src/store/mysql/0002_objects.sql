-- The ledger of objects: which contents in an object store are spoken for, and which have been let go of.
-- DDL ends transactions here, so every statement may be run again.

-- Whose objects these are: one row, made at the first migration and never changed.
CREATE TABLE IF NOT EXISTS image_cache_identity (
    id TINYINT NOT NULL PRIMARY KEY,
    name VARCHAR(64) NOT NULL,
    created_at DATETIME(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Entries to come that will refer to the object of a content.
CREATE TABLE IF NOT EXISTS image_cache_claim (
    id BIGINT NOT NULL PRIMARY KEY,
    content VARCHAR(64) NOT NULL,
    since DATETIME(6) NOT NULL,
    KEY image_cache_claim_content (content)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Objects that an entry has let go of.
CREATE TABLE IF NOT EXISTS image_cache_loose_object (
    content VARCHAR(64) NOT NULL PRIMARY KEY,
    url VARCHAR(2048) NOT NULL,
    since DATETIME(6) NOT NULL,
    removing_since DATETIME(6) NULL,
    KEY image_cache_loose_object_since (since)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Which entry refers to the object of a content? There are no partial indexes here, so this one has every entry:
-- the first 16 digits tell contents apart. Only MariaDB knows CREATE INDEX IF NOT EXISTS.
SET @image_cache_step = (SELECT IF(COUNT(*) > 0, 'DO 0',
        'CREATE INDEX image_cache_object ON image_cache (sha256(16))')
    FROM information_schema.statistics WHERE table_schema = DATABASE()
        AND table_name = 'image_cache' AND index_name = 'image_cache_object');
PREPARE image_cache_step FROM @image_cache_step;
EXECUTE image_cache_step;
DEALLOCATE PREPARE image_cache_step;
