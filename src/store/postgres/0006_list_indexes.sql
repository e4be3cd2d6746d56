-- The indexes of the lists, which the steps before this one made once, slow every put: they come back where there are so
-- many entries that lists need them (list_indexes.sql).
DROP INDEX IF EXISTS image_cache_updated, image_cache_size, image_cache_accessed, image_cache_created;
