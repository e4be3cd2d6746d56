-- The ledger of objects: which contents in an object store are spoken for, and which have been let go of.

-- Whose objects these are: one row, made at the first migration and never changed.
CREATE TABLE image_cache_identity (
    id smallint PRIMARY KEY CHECK (id = 1),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Entries to come that will refer to the object of a content.
CREATE TABLE image_cache_claim (
    id bigint PRIMARY KEY,
    content text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX image_cache_claim_content ON image_cache_claim (content);

-- Objects that an entry has let go of.
CREATE TABLE image_cache_loose_object (
    content text PRIMARY KEY,
    url text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    removing_since timestamptz
);

CREATE INDEX image_cache_loose_object_since ON image_cache_loose_object (since);

-- Which entry refers to the object of a content?
CREATE INDEX image_cache_object ON image_cache (sha256) WHERE image_url <> '';
