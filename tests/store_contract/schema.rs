//! Creating, upgrading and judging the tables.

use super::*;

pub async fn migrating_again_changes_nothing(store: &dyn Store, _: &Database) {
    let (before, after) = store.migrate().await.unwrap();
    assert_eq!(before, after);
    assert!(after >= 1);
    store.check().await.unwrap();
}

pub async fn eight_may_migrate_at_once(_: &dyn Store, database: &Database) {
    for table in ["image_cache", "image_cache_chunk", "imagecached_schema"] {
        database.run(&format!("DROP TABLE {table}")).await;
    }
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
    for table in ["image_cache", "image_cache_chunk", "imagecached_schema"] {
        database.run(&format!("DROP TABLE {table}")).await;
    }
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
        assert_eq!(error.trouble, Trouble::Schema);
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
