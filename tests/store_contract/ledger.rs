//! Objects in an object store: claimed, let go of, removed.

use super::*;

/// The only loose object.
async fn only_loose(store: &dyn Store) -> LooseObject {
    let mut loose = store.loose(10).await.unwrap();
    assert_eq!(loose.len(), 1, "{loose:?}");
    loose.remove(0)
}

/// An object that nobody needs.
async fn let_go(store: &dyn Store, bytes: &[u8]) -> LooseObject {
    store.loosen(&[(Digest::of(bytes), url(bytes))]).await.unwrap();
    only_loose(store).await
}

async fn loose_urls(store: &dyn Store) -> Vec<String> {
    store.loose(10).await.unwrap().into_iter().map(|object| object.url).collect()
}

pub async fn a_claim_holds_a_removal_off(store: &dyn Store, _: &Database) {
    let object = let_go(store, b"a").await;
    assert_eq!((object.content, &object.url), (Digest::of(b"a"), &url(b"a")));
    let one = store.claim(object.content).await.unwrap().unwrap();
    let two = store.claim(object.content).await.unwrap().unwrap();
    assert_ne!(one, two);
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::Claimed);
    let three = store.claim(object.content).await.unwrap().unwrap();
    store.release(&[three, one]).await.unwrap();
    store.release(&[one]).await.unwrap();
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::Claimed);
    assert_eq!(only_loose(store).await, object, "a removal that did not begin left a mark");
    store.release(&[two]).await.unwrap();
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::Begun);
}

pub async fn a_removal_holds_claims_off(store: &dyn Store, database: &Database) {
    let object = let_go(store, b"a").await;
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::Begun);
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::UnderWay);
    assert_eq!(store.claim(object.content).await.unwrap(), None);
    assert_eq!(database.numbers("SELECT count(*) FROM image_cache_claim").await, [0]);
    assert!(store.claim(Digest::of(b"another")).await.unwrap().is_some());
    assert_eq!(store.loose(10).await.unwrap(), [], "its removal is under way");
    store.end_removal(&object).await.unwrap();
    store.end_removal(&object).await.unwrap();
    assert_eq!(store.loose(10).await.unwrap(), []);
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::UnderWay);
    assert!(store.claim(object.content).await.unwrap().is_some());
}

pub async fn an_object_that_an_entry_refers_to_stays(store: &dyn Store, database: &Database) {
    store.put(&[remote("a", b"a"), entry("inline", b"inline", 1)]).await.unwrap();
    let object = let_go(store, b"a").await;
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::Referred);
    assert_eq!(store.loose(10).await.unwrap(), []);
    assert!(store.claim(object.content).await.unwrap().is_some());
    // An app may have written the digest in capitals.
    database.run("UPDATE image_cache SET sha256 = upper(sha256)").await;
    let object = let_go(store, b"a").await;
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::Referred);
    // The bytes in a row need no object.
    let object = let_go(store, b"inline").await;
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::Begun);
}

pub async fn a_removal_that_died_is_begun_again(store: &dyn Store, database: &Database) {
    let object = let_go(store, b"a").await;
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::Begun);
    let old = database.kind.hours_ago(2);
    database.run(&format!("UPDATE image_cache_loose_object SET removing_since = {old}")).await;
    // Nobody knows how far it came: until it is brought to its end, nothing may be built on the object.
    assert_eq!(store.claim(object.content).await.unwrap(), None);
    assert_eq!(only_loose(store).await, object);
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::Begun);
    store.end_removal(&object).await.unwrap();
    assert!(store.claim(object.content).await.unwrap().is_some());
}

pub async fn an_object_let_go_of_again_is_looked_at_again(store: &dyn Store, database: &Database) {
    let first = let_go(store, b"a").await;
    let back = database.kind.hours_ago(1);
    database.run(&format!("UPDATE image_cache_loose_object SET since = {back}")).await;
    let second = only_loose(store).await;
    assert!(second.since < first.since);
    assert_eq!(store.begin_removal(&second).await.unwrap(), Removal::Begun);
    let third = LooseObject { since: first.since, ..second.clone() };
    store.loosen(&[(third.content, third.url)]).await.unwrap();
    assert_eq!(store.loose(10).await.unwrap(), [], "the removal goes on");
    store.end_removal(&second).await.unwrap();
    assert_eq!(store.claim(second.content).await.unwrap(), None);
    let old = database.kind.hours_ago(2);
    database.run(&format!("UPDATE image_cache_loose_object SET removing_since = {old}")).await;
    let again = only_loose(store).await;
    assert!(again.since > second.since);
    assert_ne!(store.begin_removal(&second).await.unwrap(), Removal::Begun, "listed too long ago");
}

pub async fn claims_end_after_two_days(store: &dyn Store, database: &Database) {
    let object = let_go(store, b"a").await;
    store.claim(object.content).await.unwrap().unwrap();
    let old = database.kind.hours_ago(49);
    database.run(&format!("UPDATE image_cache_claim SET since = {old}")).await;
    store.claim(Digest::of(b"b")).await.unwrap().unwrap();
    assert_eq!(store.begin_removal(&object).await.unwrap(), Removal::Begun);
    let claims = async || database.numbers("SELECT count(*) FROM image_cache_claim").await[0];
    assert_eq!(claims().await, 2);
    store.sweep_chunks().await.unwrap();
    assert_eq!(claims().await, 1);
}

pub async fn loose_objects_are_listed_oldest_first(store: &dyn Store, database: &Database) {
    let objects: Vec<_> = (0..70_u64)
        .map(|n| (Digest::of(&noise(n, 8)), format!("s3://shop/{n}?{}", "x".repeat(1_900))))
        .collect();
    store.loosen(&objects).await.unwrap();
    assert_eq!(store.loose(7).await.unwrap().len(), 7);
    assert_eq!(store.loose(100).await.unwrap().len(), 70);
    let old = database.kind.hours_ago(3);
    let oldest = objects[33].0;
    database
        .run(&format!(
            "UPDATE image_cache_loose_object SET since = {old} WHERE content = '{oldest}'"
        ))
        .await;
    assert_eq!(store.loose(1).await.unwrap()[0].content, oldest);
    // Again, and one of them twice: the last word counts.
    let again = [(oldest, "s3://shop/one".to_owned()), (oldest, "s3://shop/two".to_owned())];
    store.loosen(&again).await.unwrap();
    let loose = store.loose(100).await.unwrap();
    let found = loose.iter().find(|object| object.content == oldest).unwrap();
    assert_eq!((found.url.as_str(), loose.len()), ("s3://shop/two", 70));
    assert_ne!(loose[0].content, oldest);
    database.run("UPDATE image_cache_loose_object SET content = 'x' WHERE url LIKE '%two'").await;
    assert_eq!(store.loose(100).await.unwrap().len(), 69, "an unreadable row hides its neighbours");
    store.loosen(&[]).await.unwrap();
}

pub async fn entries_let_go_of_their_objects(store: &dyn Store, database: &Database) {
    let forget = async || database.run("DELETE FROM image_cache_loose_object").await;
    // The same URL again, whatever else changes.
    store.put(&[remote("a", b"a")]).await.unwrap();
    store.put(&[NewEntry { rewrite: true, ..remote("a", b"a") }]).await.unwrap();
    store.put(&[NewEntry { stat: entry("a", b"a", 7).stat, ..remote("a", b"a") }]).await.unwrap();
    assert_eq!(loose_urls(store).await, [""; 0]);
    // Another content, in the object store as well.
    store.put(&[remote("a", b"b")]).await.unwrap();
    assert_eq!(loose_urls(store).await, [url(b"a")]);
    forget().await;
    // The same content, elsewhere.
    store.put(&[entry("a", b"b", 1)]).await.unwrap();
    assert_eq!(loose_urls(store).await, [url(b"b")]);
    forget().await;
    // Two of one content in one batch, and one with bytes in the row.
    store.put(&[remote("a", b"a"), remote("b", b"a"), remote("c", b"c")]).await.unwrap();
    store.put(&[entry("a", b"1", 1), entry("b", b"2", 1), entry("d", b"d", 1)]).await.unwrap();
    assert_eq!(loose_urls(store).await, [url(b"a")]);
    forget().await;
    // Removed.
    let ids = [id(store, "c").await, id(store, "d").await, 999_999];
    assert_eq!(store.remove(&ids).await.unwrap(), 2);
    assert_eq!(loose_urls(store).await, [url(b"c")]);
    forget().await;
    // A mark of a removal under way stays.
    store.put(&[remote("a", b"a")]).await.unwrap();
    store.loosen(&[(Digest::of(b"a"), url(b"a"))]).await.unwrap();
    let old = database.kind.hours_ago(0);
    database.run(&format!("UPDATE image_cache_loose_object SET removing_since = {old}")).await;
    store.put(&[entry("a", b"3", 1)]).await.unwrap();
    let marked = "SELECT count(*) FROM image_cache_loose_object WHERE removing_since IS NOT NULL";
    assert_eq!(database.numbers(marked).await, [1]);
}

pub async fn what_has_no_name_is_not_let_go_of(store: &dyn Store, database: &Database) {
    store.put(&[remote("a", b"a"), remote("b", b"b")]).await.unwrap();
    database.run("UPDATE image_cache SET sha256 = 'unknown'").await;
    store.put(&[entry("a", b"a", 1)]).await.unwrap();
    assert_eq!(store.remove(&[id(store, "b").await]).await.unwrap(), 1);
    assert_eq!(store.loose(10).await.unwrap(), []);
}
