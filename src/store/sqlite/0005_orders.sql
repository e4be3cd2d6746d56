-- Each order of a list has its index: to sort all rows takes longer than anybody waits where there are a million.
-- Others may have written a text for a size: list.rs has the same expression.
CREATE INDEX image_cache_size ON image_cache (CAST(file_size AS INTEGER));
CREATE INDEX image_cache_accessed ON image_cache (last_accessed);
-- With the sizes, so that what was stored on each day is summed up from the index alone.
CREATE INDEX image_cache_created ON image_cache (created_at, file_size);
