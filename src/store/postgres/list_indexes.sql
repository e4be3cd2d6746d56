-- Each order of a list has its index: to sort all rows takes longer than anybody waits where there are a million.
CREATE INDEX IF NOT EXISTS image_cache_updated ON image_cache (updated_at, id);
CREATE INDEX IF NOT EXISTS image_cache_size ON image_cache (file_size, id);
CREATE INDEX IF NOT EXISTS image_cache_accessed ON image_cache (last_accessed, id);
-- With the sizes, so that what was stored on each day is summed up from the index alone.
CREATE INDEX IF NOT EXISTS image_cache_created ON image_cache (created_at, id) INCLUDE (file_size);
-- What few entries have is found without a look at all of them: a type, and that the bytes are nowhere. What is in
-- chunks, or an object, has an index already. Types have 255 bytes; others may write longer ones, which fit into no index.
CREATE INDEX IF NOT EXISTS image_cache_type ON image_cache (left(content_type_header, 255) text_pattern_ops);
CREATE INDEX IF NOT EXISTS image_cache_lost ON image_cache (id)
    WHERE image_data IS NULL AND chunk_set IS NULL AND image_url = '';
