//! Former entries: listed, read, given back and removed for good.

use imagecached::model::entry::{NewEntry, NewPayload};
use imagecached::model::version::Trash;
use imagecached::model::{Digest, FileStat, UploadPath, base64};

use super::with_files;
use crate::server::{PREFIX, Server};
use crate::support::program::wait_until;

/// A server with an entry that has two versions, and its present content in the trash as well.
fn with_history() -> Server {
    let server = with_files(&[], &[]);
    server.sandbox.block_on(async {
        let store = server.sandbox.database.open_keeping(9);
        // The server may be about to.
        store.migrate().await.unwrap();
        let path = UploadPath::parse("shop/a.txt").unwrap();
        for bytes in [&b"first"[..], b"second", b"third"] {
            let size = bytes.len() as u64;
            let stat = FileStat { size, mtime_ns: 1, ctime_ns: 0, inode: 1, mode: 0o644 };
            let entry = NewEntry {
                path: path.clone(),
                owner: None,
                rewrite: false,
                mime: "text/plain".into(),
                sha256: Digest::of(bytes),
                stat,
                payload: NewPayload::Inline(base64::encode(bytes)),
            };
            store.put(std::slice::from_ref(&entry)).await.unwrap();
            if bytes == b"third" {
                let id = store.stored(std::slice::from_ref(&path)).await.unwrap()[&path].id;
                store.trash(&[id.into()], Trash::Removed).await.unwrap();
                store.put(&[entry]).await.unwrap();
            }
        }
        store.close().await;
    });
    server
}

#[test]
fn former_contents_are_listed_and_read() {
    let server = with_history();
    let id = server.id_of("a.txt");
    let first = server.read(&format!("/entries/{id}/versions/?limit=2")).json();
    let cursor = first["next"].as_str().unwrap();
    let rest = server.read(&format!("/entries/{id}/versions/?limit=2&cursor={cursor}")).json();
    let all: Vec<_> =
        [&first, &rest].iter().flat_map(|it| it["versions"].as_array().unwrap().clone()).collect();
    let why: Vec<_> = all.iter().map(|it| it["why"].as_str().unwrap()).collect();
    assert_eq!((why, &rest["next"]), (vec!["removed", "replaced", "replaced"], &().into()));
    for (version, bytes) in all.iter().zip(["third", "second", "first"]) {
        let path = format!("{PREFIX}/versions/{}/content", version["id"]);
        let answer = server.get(&path, &[]);
        assert_eq!((answer.status, &*answer.body), (200, bytes));
        assert_eq!(server.get(&path, &["Range: bytes=1-2"]).body, bytes[1..3]);
    }
    server.read("/entries/99999/versions/").problem(404);
    for id in ["99999", "-1", "9223372036854775807"] {
        server.read(&format!("/versions/{id}/content")).problem(404);
    }
    server.read(&format!("/trash/?cursor={cursor}")).problem(400);
    server.read("/trash/?limit=0").problem(400);
    server.end();
}

#[test]
fn the_trash_gives_back_and_forgets() {
    let server = with_history();
    let trash = server.read("/trash/?search=a.txt").json();
    let id = trash["versions"][0]["id"].as_i64().unwrap();
    assert_eq!(trash["versions"].as_array().unwrap().len(), 1);
    // Without the token nothing changes.
    let path = format!("{PREFIX}/trash/{id}/undelete/");
    assert_eq!(server.post(&path, &[], "").status, 401);
    let undelete = format!("/trash/{id}/undelete/");
    assert!(server.call("POST", &undelete).problem(409).contains("has an entry"));
    server.sandbox.sql("DELETE FROM image_cache");
    let entry = server.call("POST", &undelete).json()["entry"].as_i64().unwrap();
    assert_eq!(server.read(&format!("/entries/{entry}/content")).body, "third");
    server.call("POST", &undelete).problem(404);
    // A version is no trash, and neither is what is gone.
    let versions = server.read(&format!("/entries/{entry}/versions/")).json();
    let version = versions["versions"][0]["id"].as_i64().unwrap();
    server.call("DELETE", &format!("/trash/{version}/")).problem(404);
    server.sandbox.sql("UPDATE image_cache_history SET why = 'deleted'");
    assert_eq!(server.call("DELETE", &format!("/trash/{version}/")).status, 204);
    server.call("DELETE", &format!("/trash/{version}/")).problem(404);
    assert_eq!(server.read("/trash/").json()["versions"].as_array().unwrap().len(), 1);
    server.end();
}

#[test]
fn a_former_content_is_made_the_present_one() {
    let server = with_files(&[], &[("a.txt", b"first"), ("b.txt", b"other")]);
    let (id, other) = (server.id_of("a.txt"), server.id_of("b.txt"));
    let versions = || server.read(&format!("/entries/{id}/versions/")).json()["versions"].clone();
    server.sandbox.write("a.txt", b"second");
    wait_until("the change", || versions().as_array().is_some_and(|all| all.len() == 1));
    let first = versions()[0]["id"].as_i64().unwrap();
    let path = format!("/entries/{id}/versions/{first}/restore/");
    assert_eq!(server.post(&format!("{PREFIX}{path}"), &[], "").status, 401);
    let entry = server.call("POST", &path).json();
    assert_eq!((&entry["id"], &entry["file_size"]), (&id.into(), &5.into()), "{entry}");
    assert_eq!(server.read(&format!("/entries/{id}/content")).body, "first");
    assert_eq!(std::fs::read(server.sandbox.uploads.join("a.txt")).unwrap(), b"first");
    // What it had is a version, and comes back the same way.
    let second = versions()[0]["id"].as_i64().unwrap();
    assert_eq!(server.read(&format!("/versions/{second}/content")).body, "second");
    for path in [
        format!("/entries/{other}/versions/{first}/restore/"),
        format!("/entries/{id}/versions/99999/restore/"),
        format!("/entries/99999/versions/{first}/restore/"),
    ] {
        server.call("POST", &path).problem(404);
    }
    server.call("POST", &format!("/entries/{id}/versions/x/restore/")).problem(400);
    server.sandbox.sql("UPDATE image_cache_history SET image_data = 'AAAA'");
    let refused = server.call("POST", &format!("/entries/{id}/versions/{second}/restore/"));
    assert!(refused.problem(409).contains("cannot be given back"), "{}", refused.body);
    assert_eq!(server.read(&format!("/entries/{id}/content")).body, "first");
    server.end();
}

/// The panel shows fifty former contents at a time, and leads to all of them.
#[test]
fn the_panel_leads_to_every_former_content_of_an_entry() {
    let server = with_history();
    let id = server.id_of("a.txt");
    let columns = "original_path, content_type, object_id, image_url, file_size, content_type_header, \
        created_at, updated_at, last_accessed, sha256, mtime_ns, mode, chunk_set, image_data, ended_at, why";
    server.sandbox.sql(&format!(
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 117)
        INSERT INTO image_cache_history ({columns})
        SELECT {columns} FROM n, (SELECT * FROM image_cache_history LIMIT 1)"
    ));
    let all = server.sandbox.numbers("SELECT id FROM image_cache_history ORDER BY id DESC");
    let session = server.log_in();
    let mut at = format!("{PREFIX}/admin/entries/{id}/");
    let mut seen = Vec::new();
    for rows in [50, 50, 20] {
        let page = server.get(&at, &[&session]);
        assert_eq!(page.status, 200, "{at}: {}", page.body);
        let here: Vec<i64> = page
            .body
            .split("/versions/")
            .filter_map(|rest| rest.split_once("/content\" download"))
            .filter_map(|(id, _)| id.parse().ok())
            .collect();
        assert_eq!(here.len(), rows, "{at}");
        seen.extend(here);
        let next = page.body.split("rel=\"next\" href=\"").nth(1);
        at = next.map_or(String::new(), |rest| {
            let address =
                rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
            address.split('#').next().unwrap().to_owned()
        });
    }
    assert_eq!((seen, at), (all, String::new()));
    let forged = server.get(&format!("{PREFIX}/admin/entries/{id}/?cursor=7.x"), &[&session]);
    assert_eq!(forged.status, 400);
    server.end();
}
