-- Each order of a list has its index: to sort all rows takes longer than anybody waits where there are a million.
CREATE INDEX IF NOT EXISTS image_cache_updated ON image_cache (updated_at, id);
CREATE INDEX IF NOT EXISTS image_cache_size ON image_cache (file_size, id);
CREATE INDEX IF NOT EXISTS image_cache_accessed ON image_cache (last_accessed, id);
-- With the sizes, so that what was stored on each day is summed up from the index alone.
CREATE INDEX IF NOT EXISTS image_cache_created ON image_cache (created_at, id) INCLUDE (file_size);
