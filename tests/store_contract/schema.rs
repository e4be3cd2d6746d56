//! Creating, upgrading and judging the tables.

use super::*;

pub async fn migrating_again_changes_nothing(store: &dyn Store, _: &Database) {
    let (before, after) = store.migrate().await.unwrap();
    assert_eq!(before, after);
    assert!(after >= 1);
    store.check().await.unwrap();
}

const TABLES: [&str; 7] = [
    "image_cache",
    "image_cache_chunk",
    "image_cache_identity",
    "image_cache_claim",
    "image_cache_loose_object",
    "image_cache_history",
    "imagecached_schema",
];

async fn drop_tables(database: &Database) {
    for table in TABLES {
        database.run(&format!("DROP TABLE {table}")).await;
    }
}

pub async fn eight_may_migrate_at_once(_: &dyn Store, database: &Database) {
    drop_tables(database).await;
    let stores: Vec<Arc<dyn Store>> = (0..8).map(|_| database.open()).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for store in stores {
        tasks.spawn(async move {
            let versions = store.migrate().await;
            store.close().await;
            versions
        });
    }
    let all: Vec<_> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
    assert_eq!(all.iter().filter(|(before, _)| *before == 0).count(), 1, "{all:?}");
}

pub async fn missing_tables_are_told(store: &dyn Store, database: &Database) {
    drop_tables(database).await;
    let error = store.check().await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Schema, "{error}");
    assert!(error.to_string().contains("imagecached migrate"), "{error}");
    let error = store.put(&[entry("a", b"a", 1)]).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Schema, "{error}");
}

pub async fn a_newer_schema_is_refused(store: &dyn Store, database: &Database) {
    let when = match database.kind {
        Kind::MariaDb => "utc_timestamp(6)",
        _ => "CURRENT_TIMESTAMP",
    };
    database
        .run(&format!("INSERT INTO imagecached_schema (version, applied_at) VALUES (99, {when})"))
        .await;
    let refused: [StoreError; 2] =
        [store.check().await.unwrap_err(), store.migrate().await.unwrap_err()];
    for error in refused {
        assert_eq!(error.trouble, Trouble::Newer);
        assert!(error.to_string().contains("version 99"), "{error}");
    }
}

pub async fn the_database_tells_about_itself(store: &dyn Store, database: &Database) {
    let facts = store.facts().await.unwrap();
    assert_eq!(facts.schema.0, Some(facts.schema.1));
    let version = facts.version.split_once(' ').expect("product and version");
    assert!(store.product().contains(version.0), "{version:?}");
    assert!(facts.missing_rights.is_empty(), "{:?}", facts.missing_rights);
    assert_eq!(facts.pooled, database.kind == Kind::PgBouncer);
    assert!(facts.utf8 && !facts.read_only);
    assert_eq!(facts.max_packet.is_some(), database.kind == Kind::MariaDb);
    assert_eq!(facts.journal, if database.kind == Kind::Sqlite { "wal" } else { "" });
    if let Some((used, allowed)) = facts.connections {
        assert!(used >= 1 && used <= allowed, "{used} of {allowed}");
    }
}

pub async fn a_cache_has_one_name(store: &dyn Store, database: &Database) {
    let name = store.identity().await.unwrap();
    assert!(name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    let other = database.open();
    other.migrate().await.unwrap();
    assert_eq!(other.identity().await.unwrap(), name);
    let whereabouts = store.whereabouts().await.unwrap();
    assert!(!whereabouts.is_empty());
    assert_eq!(other.whereabouts().await.unwrap(), whereabouts);
    other.close().await;
    database.run("DELETE FROM image_cache_identity").await;
    let error = store.identity().await.unwrap_err();
    assert!(error.to_string().contains("imagecached migrate"), "{error}");
    store.migrate().await.unwrap();
    assert_ne!(store.identity().await.unwrap(), name);
}

pub async fn a_cache_of_the_first_version_is_upgraded(store: &dyn Store, database: &Database) {
    drop_tables(database).await;
    let (tables, now) = match database.kind {
        Kind::Sqlite => {
            (include_str!("../../src/store/sqlite/0001_image_cache.sql"), "CURRENT_TIMESTAMP")
        }
        Kind::Postgres | Kind::PgBouncer => {
            (include_str!("../../src/store/postgres/0001_image_cache.sql"), "now()")
        }
        Kind::MariaDb => {
            (include_str!("../../src/store/mysql/0001_image_cache.sql"), "utc_timestamp(6)")
        }
    };
    let hash = match database.kind {
        Kind::MariaDb => (", path_hash", format!(", unhex('{}')", Digest::of(b"old.jpg"))),
        _ => ("", String::new()),
    };
    let bytes = b"stored by the first version";
    database.run(tables).await;
    database
        .run(&format!(
            "CREATE TABLE imagecached_schema (version BIGINT PRIMARY KEY, applied_at {});
            INSERT INTO imagecached_schema VALUES (1, {now});
            INSERT INTO image_cache (original_path, image_url, file_size, created_at, updated_at,
                last_accessed, sha256 {})
            VALUES ('old.jpg', '{}', 27, {now}, {now}, {now}, '{}' {})",
            if database.kind == Kind::MariaDb { "DATETIME(6)" } else { "TIMESTAMP" },
            hash.0,
            url(bytes),
            Digest::of(bytes),
            hash.1,
        ))
        .await;
    let old = store.check().await.unwrap_err();
    let latest = if matches!(database.kind, Kind::Postgres | Kind::PgBouncer) { 6 } else { 5 };
    let needs = format!("version 1, and this program needs {latest}");
    assert!(old.to_string().contains(&needs), "{old}");
    assert_eq!(store.migrate().await.unwrap(), (1, latest));
    assert_eq!(store.migrate().await.unwrap(), (latest, latest));
    store.check().await.unwrap();
    assert_eq!(store.identity().await.unwrap().len(), 32);
    assert_eq!(stored(store, "old.jpg").await.payload, PayloadKind::Url);
    let claim = store.claim(Digest::of(bytes)).await.unwrap().unwrap();
    store.release(&[claim]).await.unwrap();
    store.put(&[entry("old.jpg", b"new", 1)]).await.unwrap();
    assert_eq!(store.loose(10).await.unwrap()[0].url, url(bytes));
}
