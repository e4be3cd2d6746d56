//! Two instances, cut connections, poolers, and errors that tell where.

use super::*;
use crate::support::proxy::Proxy;

/// A put compares the rows that it finds: while another put is about to change them, it has to wait.
pub async fn put_waits_for_a_put_under_way(store: &dyn Store, database: &Database) {
    store.put(&[remote("a", b"old")]).await.unwrap();
    let other = match database.kind {
        // Its writers come one after another, with the lock on the whole file.
        Kind::Sqlite => return,
        _ => database.open_transaction().await,
    };
    let between = format!(
        "UPDATE image_cache SET image_url = '{}', sha256 = '{}' WHERE original_path = 'a'",
        url(b"between"),
        Digest::of(b"between")
    );
    let other = other.run(&between).await;
    let new = [entry("a", b"new", 1)];
    let mut put = store.put(&new);
    // It has sent what waits for the lock once the server tells so.
    tokio::select! {
        done = &mut put => panic!("{done:?} while another was about to write"),
        () = database.until_somebody_waits() => {}
    }
    other.commit().await;
    assert_eq!(put.await.unwrap(), [true]);
    let loose = store.loose(10).await.unwrap();
    let urls: Vec<_> = loose.iter().map(|object| object.url.as_str()).collect();
    assert_eq!(urls, [url(b"between")], "what was let go of is what was compared");
}

/// Who waits behind others waits for longer than for a server that does not answer: pages are not refused while
/// contents are read.
#[tokio::test]
async fn a_call_waits_for_its_turn() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = Database::fresh(kind).await;
        let patience = Duration::from_secs(100);
        let soon = Duration::from_secs(3);
        let options =
            Options { connections: 1, acquire_timeout: soon, call_timeout: patience, versions: 0 };
        let patient = database.open();
        patient.migrate().await.unwrap();
        patient.put(&[entry("a", b"1", 1)]).await.unwrap();
        let store = store::open(&database.target, &options).unwrap();
        store.check().await.unwrap();
        let other = database.open_transaction().await.run("UPDATE image_cache SET mode = 1").await;
        let (path, mtime_ns, mode) = (path("a"), 2, 0o600);
        let touches = [Touch { path, mtime_ns, mode }];
        let mut touch = store.touch(&touches);
        tokio::select! {
            done = &mut touch => panic!("{done:?} while another held the row"),
            () = database.until_somebody_waits() => {}
        }
        let query = ListQuery::default();
        let mut page = store.page(&query);
        tokio::select! {
            done = &mut touch => panic!("{done:?} while another held the row"),
            done = &mut page => panic!("{done:?} without a connection"),
            () = tokio::time::sleep(soon + Duration::from_secs(1)) => {}
        }
        other.commit().await;
        touch.await.unwrap();
        assert_eq!(page.await.unwrap().entries[0].mtime_ns, 2);
        store.close().await;
        patient.close().await;
        database.remove().await;
    }
}

/// A large chunk set goes in many short units: the time limit judges each by itself.
#[tokio::test]
async fn the_removal_of_a_large_set_may_take_longer_than_a_call() {
    let database = Database::fresh(Kind::Postgres).await;
    let patient = database.open();
    patient.migrate().await.unwrap();
    patient
        .write_chunks(ChunkSet(1), 0, &(0..64).map(|n| noise(n, 10)).collect::<Vec<_>>())
        .await
        .unwrap();
    let mut large = chunked("a", b"large", NewPayload::Chunks(ChunkSet(1)));
    large.stat.size = 64 << 20;
    patient.put(&[large]).await.unwrap();
    // Sixteen rows at a time take three seconds, all of them more than twelve.
    database
        .run(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_sleep(0.2); RETURN old; END';
            CREATE TRIGGER slow BEFORE DELETE ON image_cache_chunk
                FOR EACH ROW EXECUTE FUNCTION slow()",
        )
        .await;
    let options = Options {
        connections: 2,
        acquire_timeout: Duration::from_secs(30),
        call_timeout: Duration::from_secs(9),
        versions: 0,
    };
    let store = store::open(&database.target, &options).unwrap();
    assert_eq!(store.put(&[entry("a", b"small", 1)]).await.unwrap(), [true]);
    assert_eq!(chunk_rows(&database).await, 0);
    store.close().await;
    patient.close().await;
    database.remove().await;
}

/// A network that forgets a connection without a word leaves its transaction to the server, with all that it has
/// locked: who stores under the same paths waits for the end of it, and no longer.
#[tokio::test]
async fn what_a_lost_client_has_locked_is_free_again() {
    for kind in [Kind::Postgres, Kind::PgBouncer, Kind::MariaDb] {
        let database = Database::fresh(kind).await;
        let near = database.open();
        near.migrate().await.unwrap();
        near.put(&[entry("a", b"old", 1), entry("b", b"old", 1)]).await.unwrap();
        let (Target::Postgres(url) | Target::MySql(url)) = &database.target else { unreachable!() };
        let proxy = Proxy::new(url);
        let far = match kind {
            Kind::MariaDb => Target::MySql(proxy.url().to_owned()),
            _ => Target::Postgres(proxy.url().to_owned()),
        };
        let options = Options {
            connections: 1,
            acquire_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(6),
            versions: 0,
        };
        let lost = store::open(&far, &options).unwrap();
        // It has got the one row, and is to get the other when its client is lost already.
        let other = database.open_transaction().await;
        let other = other.run("UPDATE image_cache SET mode = 1 WHERE original_path = 'b'").await;
        let news = [entry("a", b"new", 1), entry("b", b"new", 1)];
        let mut put = lost.put(&news);
        tokio::select! {
            done = &mut put => panic!("{done:?} while another held a row"),
            () = database.until_somebody_waits() => {}
        }
        proxy.fall_silent();
        other.commit().await;
        assert_eq!(put.await.unwrap_err().trouble, Trouble::Away);
        assert_eq!(near.put(&news).await.unwrap(), [true, true], "{kind:?}");
        lost.close().await;
        near.close().await;
        drop(proxy);
        database.remove().await;
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
    let options = Options {
        connections: 1,
        acquire_timeout: Duration::from_secs(1),
        call_timeout: Duration::from_secs(30),
        versions: 0,
    };
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
