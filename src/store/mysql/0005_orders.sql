-- Each order of a list has its index: to sort all rows takes longer than anybody waits where there are a million.
-- DDL ends transactions here, so every statement may be run again.

-- A search reads this one alone, too.
SET @image_cache_step = (SELECT IF(COUNT(*) > 0, 'DO 0', CONCAT('CREATE INDEX image_cache_by_path ON image_cache ',
        '(path_bytes, id)'))
    FROM information_schema.statistics WHERE table_schema = DATABASE()
        AND table_name = 'image_cache' AND index_name = 'image_cache_by_path');
PREPARE image_cache_step FROM @image_cache_step;
EXECUTE image_cache_step;
DEALLOCATE PREPARE image_cache_step;

SET @image_cache_step = (SELECT IF(COUNT(*) > 0, 'DO 0', CONCAT('CREATE INDEX image_cache_size ON image_cache ',
        '(file_size, id)'))
    FROM information_schema.statistics WHERE table_schema = DATABASE()
        AND table_name = 'image_cache' AND index_name = 'image_cache_size');
PREPARE image_cache_step FROM @image_cache_step;
EXECUTE image_cache_step;
DEALLOCATE PREPARE image_cache_step;

SET @image_cache_step = (SELECT IF(COUNT(*) > 0, 'DO 0', CONCAT('CREATE INDEX image_cache_accessed ON image_cache ',
        '(last_accessed, id)'))
    FROM information_schema.statistics WHERE table_schema = DATABASE()
        AND table_name = 'image_cache' AND index_name = 'image_cache_accessed');
PREPARE image_cache_step FROM @image_cache_step;
EXECUTE image_cache_step;
DEALLOCATE PREPARE image_cache_step;

-- With the sizes, so that what was stored on each day is summed up from the index alone.
SET @image_cache_step = (SELECT IF(COUNT(*) > 0, 'DO 0', CONCAT('CREATE INDEX image_cache_created ON image_cache ',
        '(created_at, id, file_size)'))
    FROM information_schema.statistics WHERE table_schema = DATABASE()
        AND table_name = 'image_cache' AND index_name = 'image_cache_created');
PREPARE image_cache_step FROM @image_cache_step;
EXECUTE image_cache_step;
DEALLOCATE PREPARE image_cache_step;
