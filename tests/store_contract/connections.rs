//! Two instances, cut connections, poolers, and errors that tell where.

use super::*;

pub async fn two_instances_may_store_the_same_paths(store: &dyn Store, database: &Database) {
    let other = database.open();
    for round in 0..50_u64 {
        let batch = |seed: u64, backwards: bool| {
            let mut batch: Vec<_> = (0..12)
                .map(|n| entry(&format!("{}/{n}", round % 7), &noise(seed + n, 200), 1))
                .collect();
            if backwards {
                batch.reverse();
            }
            batch
        };
        let (ours, theirs) = (batch(round * 100, false), batch(round * 100 + 50, true));
        let (one, two) = tokio::join!(store.put(&ours), other.put(&theirs));
        one.unwrap();
        two.unwrap();
    }
    other.close().await;
    let rows = index(store).await;
    assert_eq!(rows.len(), 7 * 12);
    assert_eq!(rows.iter().map(|row| &row.original_path).collect::<HashSet<_>>().len(), 84);
    for (at, bytes) in contents(store).await {
        assert_eq!(stored(store, &at).await.sha256, Some(Digest::of(&bytes)), "{at}");
    }
}

pub async fn a_cut_connection_is_replaced(store: &dyn Store, database: &Database) {
    if database.kind == Kind::Sqlite {
        // A file has no connection that anybody could cut.
        return;
    }
    let (one, two) = (entry("one", b"1", 1), entry("two", b"2", 1));
    let (first, second) =
        tokio::join!(store.put(std::slice::from_ref(&one)), store.put(std::slice::from_ref(&two)));
    first.and(second).unwrap();
    for round in 0..3 {
        database.cut_connections().await;
        let text = format!("after {round}");
        store.put(&[entry(&text, text.as_bytes(), 1)]).await.unwrap();
        database.cut_connections().await;
        assert_eq!(index(store).await.len(), 3 + round);
        database.cut_connections().await;
        assert_eq!(contents(store).await[&text], text.as_bytes());
    }
}

/// PgBouncer gives a restarted client server connections on which its predecessor has worked, and
/// gives one client now this, now that one.
#[tokio::test]
async fn a_client_restarts_behind_pgbouncer() {
    let database = Database::fresh(Kind::PgBouncer).await;
    let stores: Vec<_> = (0..3).map(|_| database.open()).collect();
    stores[0].migrate().await.unwrap();
    for (round, store) in stores.iter().enumerate() {
        for step in 0..5 {
            let text = format!("{round}/{step}");
            let here = [entry(&text, text.as_bytes(), 1), entry("same", text.as_bytes(), 1)];
            let there = [entry(&format!("{text}/more"), text.as_bytes(), 1)];
            let (here, there) = tokio::join!(store.put(&here), store.put(&there));
            here.and(there).unwrap();
            assert_eq!(contents(&**store).await["same"], text.as_bytes());
        }
        store.check().await.unwrap();
        store.close().await;
    }
    database.remove().await;
}

#[tokio::test]
async fn errors_name_the_place_and_no_password() {
    for (target, place) in [
        ("postgres://someone:geheim@127.0.0.1:1/none", "127.0.0.1:1"),
        ("postgres://someone:geheim@name.invalid:5432/none", "name.invalid:5432"),
        ("postgres://someone:geheim@[::1/none", "check DATABASE_URL"),
    ] {
        errors_name(Target::Postgres(target.to_owned()), place).await;
        errors_name(Target::MySql(target.replace("postgres", "mysql")), place).await;
    }
}

async fn errors_name(target: Target, place: &str) {
    let options = Options { connections: 1, acquire_timeout: Duration::from_secs(1) };
    let error = match store::open(&target, &options) {
        Ok(store) => store.check().await.unwrap_err(),
        Err(error) => error,
    };
    let text = format!("{error} {error:?}");
    assert!(text.contains(place), "{text}");
    assert!(!text.contains("geheim"), "{text}");
    assert!(!format!("{target:?}").contains("geheim"));
}

#[tokio::test]
async fn a_value_beyond_the_packet_is_refused_with_its_cure() {
    let database = Database::fresh(Kind::MariaDb).await;
    let store = database.open();
    store.migrate().await.unwrap();
    let most = database.numbers("SELECT CAST(@@max_allowed_packet AS SIGNED)").await[0];
    let text = "A".repeat(usize::try_from(most).unwrap());
    let large = NewEntry { payload: NewPayload::Inline(text), ..entry("large", b"", 1) };
    let error = store.put(&[entry("a", b"a", 1), large]).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Value, "{error}");
    assert!(error.to_string().contains("raise max_allowed_packet to at least"), "{error}");
    store.put(&[entry("a", b"a", 1)]).await.unwrap();
    store.close().await;
    database.remove().await;
}
