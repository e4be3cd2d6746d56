-- The restore and the first list that people see: newest first. All else is sorted from a scan of the table, whose
-- rows are small: payloads are kept apart from them (TOAST).
CREATE INDEX image_cache_updated ON image_cache (updated_at, id);
