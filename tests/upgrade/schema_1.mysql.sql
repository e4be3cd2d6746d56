-- A cache of MySQL and MariaDB as the program left it that knew the first migration only, with an entry of every kind.
-- The test puts the place of its object store where @OBJECTS@ stands.

-- ---- the first migration, word by word ----
-- The image cache: one row for each upload. Moments are in UTC.
-- Collations that ignore case or trailing spaces, and keys of 3,072 bytes at most, cannot hold what a path
-- is: the unique key is the sha256 of its bytes.
-- DDL ends transactions here, so every statement may be run again.
CREATE TABLE IF NOT EXISTS image_cache (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    content_type VARCHAR(255) NOT NULL DEFAULT '',
    object_id VARCHAR(255) NOT NULL DEFAULT '',
    original_path VARCHAR(2048) NOT NULL,
    path_hash BINARY(32) NOT NULL,
    image_url VARCHAR(2048) NOT NULL DEFAULT '',
    file_size BIGINT NOT NULL DEFAULT 0,
    content_type_header VARCHAR(255) NOT NULL DEFAULT '',
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    last_accessed DATETIME(6) NOT NULL,
    sha256 VARCHAR(64) NOT NULL DEFAULT '',
    mtime_ns BIGINT NOT NULL DEFAULT 0,
    mode INT NOT NULL DEFAULT 420,
    chunk_set BIGINT NULL,
    -- InnoDB reads the whole text to say whether it is NULL: lists ask this column.
    has_image_data TINYINT GENERATED ALWAYS AS (image_data IS NOT NULL) STORED,
    image_data LONGTEXT NULL,
    UNIQUE KEY image_cache_path (path_hash),
    KEY image_cache_chunk_set (chunk_set)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Raw bytes of payloads that do not go into the row, up to 1 MiB in each.
CREATE TABLE IF NOT EXISTS image_cache_chunk (
    chunk_set BIGINT NOT NULL,
    seq INT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    data LONGBLOB NOT NULL,
    PRIMARY KEY (chunk_set, seq)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;

-- ---- the program's own table of versions ----
CREATE TABLE imagecached_schema (
    version BIGINT NOT NULL PRIMARY KEY, applied_at DATETIME(6) NOT NULL) ENGINE=InnoDB;
INSERT INTO imagecached_schema (version, applied_at) VALUES (1, '2019-03-20 12:00:00.000000');

-- ---- entries with their bytes in the row ----
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('products/red-shoe.jpg', UNHEX(SHA2('products/red-shoe.jpg', 256)), 'catalog.product', '17', 'image/jpeg',
    44, 1552953599123456789, 416, '2019-03-20 23:59:59.999999', '2019-03-21 00:00:00.000001', '2020-06-01 12:00:00.000000',
    '6f7d41bfd1eb918a55a3fdc932e677f0aaf75ad05b2739b7e47205883335711a', '', NULL, 'QSByZWQgc2hvZSwgYXMgdGhlIGZpcnN0IHZlcnNpb24gc3RvcmVkIGl0Lgo=');
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('سفارش/رسید ۱۲.txt', UNHEX(SHA2('سفارش/رسید ۱۲.txt', 256)), '', '', 'text/plain',
    9, 1583020799000000000, 420, '2020-02-29 23:59:59.000000', '2020-02-29 23:59:59.000000', '2020-06-01 12:00:00.000000',
    '3ea84a1b96a239288377b93468bf3127204fbbfcd5c42c1eea746a33000718c3', '', NULL, '2LPZhNin2YUK');
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('odd/-leading dash.txt', UNHEX(SHA2('odd/-leading dash.txt', 256)), '', '', 'text/plain',
    7, 1, 384, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    '915c8f8c7f88749b7995cb41e2acc69cb1f8ca612b9c0f91830e8d33df616560', '', NULL, 'YSBkYXNoCg==');
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('odd/it''s "quoted" & 100% {odd}; -- really.txt', UNHEX(SHA2('odd/it''s "quoted" & 100% {odd}; -- really.txt', 256)), '', '', 'text/plain',
    7, -86400000000001, 420, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    'a5dacb934cca04022e042cb8e8d904473b50d34ac01dc7d74931a6bcd9681dc0', '', NULL, 'cXVvdGVzCg==');
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('odd/Case.txt', UNHEX(SHA2('odd/Case.txt', 256)), '', '', 'text/plain',
    18, 1577836800000000000, 420, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    '412dc55e1932c2aecaa15941b3b5b91f61253faab5603dd8cc164130fcea894c', '', NULL, 'QSBjYXBpdGFsIGxldHRlci4K');
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('odd/case.txt', UNHEX(SHA2('odd/case.txt', 256)), '', '', 'text/plain',
    16, 1577836800000000000, 493, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    '7d90d88e47968bbdda7b11448460c506fbf54afcf4549fcf783c36307a50b37c', '', NULL, 'QSBzbWFsbCBsZXR0ZXIuCg==');
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('odd/café composed 🥿.txt', UNHEX(SHA2('odd/café composed 🥿.txt', 256)), '', '', 'text/plain',
    12, 1577836800000000000, 420, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    '43574719443fa8942c8c43d0ab60165ffcd5d05db242a0f282613958c9940f1f', '', NULL, 'T25lIGxldHRlci4K');
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('odd/café decomposed.txt', UNHEX(SHA2('odd/café decomposed.txt', 256)), '', '', 'text/plain',
    13, 1577836800000000000, 420, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    '42022863878537b8e5ed21bab6eee839c109bda0db2f64327153d91837910593', '', NULL, 'VHdvIGxldHRlcnMuCg==');
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('empty.txt', UNHEX(SHA2('empty.txt', 256)), '', '', 'text/plain',
    0, 1577836800000000000, 420, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', '', NULL, '');

-- ---- one chunk; and several, full ones of 1 MiB and a rest ----
INSERT INTO image_cache_chunk (chunk_set, seq, created_at, data)
VALUES (4611686018427387001, 0, '2020-01-01 00:00:00.000000', REPEAT('sixteen letters ', 1000));
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('documents/one-chunk.bin', UNHEX(SHA2('documents/one-chunk.bin', 256)), '', '', 'application/octet-stream',
    16000, 1577836800000000000, 420, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    '88762e3de02d19d8cb2c8076c9881333e0f99e132ea825b57e58512e5f122f79', '', 4611686018427387001, NULL);
INSERT INTO image_cache_chunk (chunk_set, seq, created_at, data)
VALUES (4611686018427387002, 0, '2020-01-01 00:00:00.000000', REPEAT('sixteen letters ', 65536));
INSERT INTO image_cache_chunk (chunk_set, seq, created_at, data)
VALUES (4611686018427387002, 1, '2020-01-01 00:00:00.000000', REPEAT('sixteen letters ', 65536));
INSERT INTO image_cache_chunk (chunk_set, seq, created_at, data)
VALUES (4611686018427387002, 2, '2020-01-01 00:00:00.000000', 'the end');
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('documents/several-chunks.bin', UNHEX(SHA2('documents/several-chunks.bin', 256)), '', '', 'application/octet-stream',
    2097159, 1577836800000000000, 420, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    '2a5500f9482b22b71cd60a9d162f8030475ab42fd158a85481e50817c33e25a0', '', 4611686018427387002, NULL);

-- ---- bytes in an object store; and an entry that an app has made without any ----
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('remote/by-url.bin', UNHEX(SHA2('remote/by-url.bin', 256)), '', '', 'application/octet-stream',
    46, 1577836800000000000, 420, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    '19ee4f853fb41da106982750ca94dfb31f10f463dfcda1c97d3ae30a9acd111c', '@OBJECTS@/19/ee4f853fb41da106982750ca94dfb31f10f463dfcda1c97d3ae30a9acd111c', NULL, NULL);
INSERT INTO image_cache (original_path, path_hash, content_type, object_id, content_type_header,
    file_size, mtime_ns, mode, created_at, updated_at, last_accessed, sha256, image_url, chunk_set, image_data)
VALUES ('lost/without-data.jpg', UNHEX(SHA2('lost/without-data.jpg', 256)), '', '', 'image/jpeg',
    5, 1577836800000000000, 420, '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', '2020-06-01 12:00:00.000000',
    '5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5', '', NULL, NULL);
