-- Each order of a list has its index: to sort all rows takes longer than anybody waits where there are a million.
-- A search by path reads the first of them alone. The last one has the sizes, so that what was stored on each day is
-- summed up from it.
-- DDL ends transactions here, so every statement may be run again; one statement makes all of them, or none.
SET @image_cache_step = (SELECT IF(COUNT(*) > 0, 'DO 0', CONCAT('ALTER TABLE image_cache ',
        'ADD INDEX image_cache_by_path (path_bytes, id), ADD INDEX image_cache_size (file_size, id), ',
        'ADD INDEX image_cache_accessed (last_accessed, id), ADD INDEX image_cache_created (created_at, id, file_size)'))
    FROM information_schema.statistics WHERE table_schema = DATABASE()
        AND table_name = 'image_cache' AND index_name = 'image_cache_created');
PREPARE image_cache_step FROM @image_cache_step;
EXECUTE image_cache_step;
DEALLOCATE PREPARE image_cache_step;
