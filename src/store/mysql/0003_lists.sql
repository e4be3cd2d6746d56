-- Lists, searches and figures read one index alone: InnoDB keeps payloads of up to 8 KB in the pages of the table.
-- DDL ends transactions here, so every statement may be run again.

-- An index takes 3,072 bytes and our paths have 2,048 at most: as bytes they fit in whole. None of these
-- columns is stored in the row, so that the table is not written anew.
SET @image_cache_step = (SELECT IF(COUNT(*) > 0, 'DO 0', CONCAT('ALTER TABLE image_cache ',
        'ADD COLUMN path_bytes VARBINARY(2048) GENERATED ALWAYS AS (LEFT(CAST(original_path AS BINARY), 2048)) VIRTUAL, ',
        'ADD COLUMN mime_bytes VARBINARY(255) GENERATED ALWAYS AS (LEFT(CAST(content_type_header AS BINARY), 255)) VIRTUAL, ',
        'ADD COLUMN place TINYINT GENERATED ALWAYS AS (CASE WHEN has_image_data THEN 1 WHEN chunk_set IS NOT NULL THEN 2 ',
        'WHEN image_url <> '''' THEN 3 ELSE 0 END) VIRTUAL'))
    FROM information_schema.columns WHERE table_schema = DATABASE()
        AND table_name = 'image_cache' AND column_name = 'path_bytes');
PREPARE image_cache_step FROM @image_cache_step;
EXECUTE image_cache_step;
DEALLOCATE PREPARE image_cache_step;

-- Newest first is its own order; the other orders are sorted from it.
SET @image_cache_step = (SELECT IF(COUNT(*) > 0, 'DO 0', CONCAT('CREATE INDEX image_cache_list ON image_cache ',
        '(updated_at, id, path_bytes, file_size, mime_bytes, created_at, last_accessed, place)'))
    FROM information_schema.statistics WHERE table_schema = DATABASE()
        AND table_name = 'image_cache' AND index_name = 'image_cache_list');
PREPARE image_cache_step FROM @image_cache_step;
EXECUTE image_cache_step;
DEALLOCATE PREPARE image_cache_step;
