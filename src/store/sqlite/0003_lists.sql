-- Lists, searches and figures read this index alone: a row with a payload fills pages of the table, so that
-- to go through the table is to go through nearly all of the file. Newest first is its own order; the other
-- orders are sorted from it. The last column is where an entry's bytes are, as `place!` in read.rs writes it:
-- SQLite takes it from here only if the texts are the same.
CREATE INDEX image_cache_list ON image_cache (
    updated_at, original_path, file_size, content_type_header, created_at, last_accessed, mtime_ns,
    (CASE WHEN image_data IS NOT NULL THEN 1 WHEN chunk_set IS NOT NULL THEN 2 WHEN image_url <> '' THEN 3 ELSE 0 END)
);
