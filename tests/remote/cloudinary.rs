//! Cloudinary: what its documentation asks for, and the ways in which it says no.

use std::sync::Arc;
use std::time::Duration;

use imagecached::remote::{Mark, Remote, Trouble};
use serde_json::json;

use crate::cloudinary_server::{CLOUD, CloudinaryServer, Fault, KEY, SECRET};
use crate::support::{Noise, download, listed, marks_come_and_go, open, round_trip, store, upload};

const MIB: u64 = 1 << 20;

fn started() -> (CloudinaryServer, Arc<dyn Remote>) {
    let server = CloudinaryServer::start();
    let remote = open(&store(&[("CLOUDINARY_URL", &server.url())]));
    (server, remote)
}

fn answer(status: u16, headers: Vec<(&'static str, String)>, message: &str) -> Fault {
    Fault::Answer(status, headers, json!({"error": {"message": message}}).to_string())
}

#[tokio::test]
async fn every_size_comes_back() {
    let (server, remote) = started();
    for length in [1, 5 * MIB, 8 * MIB, 8 * MIB + 1, 20 * MIB + 1] {
        round_trip(&*remote, length, length).await;
    }
    assert_eq!(server.assets(), 5);
    assert!(remote.warnings().is_empty());
}

#[tokio::test]
async fn an_empty_file_is_refused_plainly() {
    let (_server, remote) = started();
    let error = upload(&*remote, 0, 1).await.unwrap_err();
    assert!(error.to_string().contains("400: Empty file"), "{error}");
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn one_content_is_one_asset() {
    let (server, remote) = started();
    for length in [100, 9 * MIB] {
        let first = upload(&*remote, length, 2).await.unwrap();
        let before = server.seen().len();
        let second = upload(&*remote, length, 2).await.unwrap();
        assert_eq!(first.url, second.url);
        assert!(!first.was_there && second.was_there);
        assert_eq!(server.seen().len(), before + 1, "nothing large is sent twice");
    }
    assert_eq!(server.assets(), 2);
}

#[tokio::test]
async fn assets_are_listed_looked_at_and_removed() {
    let (server, remote) = started();
    assert_eq!(listed(&*remote).await, []);
    let mut urls = Vec::new();
    for seed in 1..=5 {
        urls.push(upload(&*remote, 100, seed).await.unwrap().url);
    }
    urls.sort();
    let names: Vec<String> = listed(&*remote).await.into_iter().map(|(url, ..)| url).collect();
    assert_eq!(names, urls);
    assert_eq!(remote.size(&urls[0]).await.unwrap(), Some(100));
    remote.remove(&urls[0]).await.unwrap();
    remote.remove(&urls[0]).await.unwrap();
    assert_eq!(remote.size(&urls[0]).await.unwrap(), None);
    assert_eq!(download(&*remote, &urls[0], 100).await.unwrap_err().trouble, Trouble::Missing);
    assert_eq!(server.assets(), 4);
    remote.check().await.unwrap();
    assert_eq!(server.assets(), 4);
}

#[tokio::test]
async fn marks_are_no_objects() {
    let (server, remote) = started();
    marks_come_and_go(&*remote).await;
    assert_eq!(server.assets(), 1);
    // A mark of an account that was public once counts as well.
    let public = open(&store(&[
        ("CLOUDINARY_URL", &server.url()),
        ("IMAGECACHED_CLOUDINARY_PUBLIC", "true"),
    ]));
    let mark = Mark { name: "public".into(), note: "SQLite /data/cache.sqlite3".into() };
    public.mark(&mark).await.unwrap();
    assert_eq!(remote.marks().await.unwrap().last().unwrap().name, mark.name);
    remote.unmark("public").await.unwrap();
    assert_eq!(remote.marks().await.unwrap().len(), 31);
    assert_eq!(server.assets(), 1);
}

#[tokio::test]
async fn public_assets_are_made_only_when_asked_for_and_with_a_warning() {
    let (server, remote) = started();
    let url = upload(&*remote, 10, 3).await.unwrap().url;
    assert!(url.contains("/raw/authenticated/s--"), "{url}");
    let public = open(&store(&[
        ("CLOUDINARY_URL", &server.url()),
        ("IMAGECACHED_CLOUDINARY_PUBLIC", "true"),
        ("IMAGECACHED_CLOUDINARY_FOLDER", "shop/media"),
    ]));
    assert_eq!(public.warnings().len(), 1);
    let url = upload(&*public, 10, 3).await.unwrap().url;
    assert!(url.contains("/raw/upload/v") && url.contains("/shop/media/"), "{url}");
    assert_eq!(public.size(&url).await.unwrap(), Some(10));
}

#[tokio::test]
async fn a_plan_that_is_too_small_is_told() {
    let (server, remote) = started();
    server.largest(10_485_760);
    for length in [12 * MIB, 30 * MIB] {
        let error = upload(&*remote, length, 4).await.unwrap_err();
        assert_eq!(error.trouble, Trouble::TooLarge, "{error}");
        assert!(error.to_string().contains("Maximum is 10485760"), "{error}");
        assert!(!error.is_temporary());
    }
    assert_eq!(server.assets(), 0);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_takes_long_is_told() {
    let (server, remote) = started();
    for status in [420, 429, 500, 503] {
        server.fault("upload", answer(status, vec![("Retry-After", "1".into())], "slow down"));
        upload(&*remote, 50, u64::from(status)).await.unwrap();
    }
    let date = "Fri, 01 Jan 2100 00:00:00 GMT".to_owned();
    server.fault(
        "upload",
        answer(420, vec![("X-FeatureRateLimit-Reset", date)], "Rate Limit Exceeded"),
    );
    let error = upload(&*remote, 50, 5).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Throttled, "{error}");
    assert!(error.retry_after.unwrap() > Duration::from_secs(86_400));
    for _ in 0..3 {
        server.fault("upload", answer(502, Vec::new(), "bad gateway"));
    }
    assert_eq!(upload(&*remote, 50, 6).await.unwrap_err().trouble, Trouble::Away);
    // In the middle of a chunked upload it is one chunk that is sent again.
    server.fault("upload", answer(500, Vec::new(), "General Error"));
    upload(&*remote, 20 * MIB, 7).await.unwrap();
}

#[tokio::test]
async fn a_ration_of_questions_that_is_used_up_stops_no_upload() {
    let (server, remote) = started();
    let date = "Fri, 01 Jan 2100 00:00:00 GMT".to_owned();
    server.fault(
        "resources",
        answer(420, vec![("X-FeatureRateLimit-Reset", date)], "Rate Limit Exceeded"),
    );
    upload(&*remote, 9 * MIB, 8).await.unwrap();
    assert_eq!(server.assets(), 1);
}

#[tokio::test]
async fn a_delivery_that_is_cut_or_stalls_is_taken_up_where_it_broke() {
    let (server, remote) = started();
    let length = 3 * MIB;
    let url = upload(&*remote, length, 9).await.unwrap().url;
    server.fault("raw/authenticated", Fault::CutDelivery(1_000_000));
    server.fault("raw/authenticated", Fault::StallDelivery(700_000));
    let back = download(&*remote, &url, length).await.unwrap();
    assert_eq!(back, (length, Noise::object(length, 9).sha256));
    for _ in 0..9 {
        server.fault("raw/authenticated", Fault::CutDelivery(0));
    }
    let error = download(&*remote, &url, length).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Away, "{error}");
}

#[tokio::test]
async fn a_body_of_another_length_is_not_taken() {
    let (server, remote) = started();
    let url = upload(&*remote, 1_000, 10).await.unwrap().url;
    server.fault("raw/authenticated", Fault::TooMuch);
    assert_eq!(download(&*remote, &url, 1_000).await.unwrap_err().trouble, Trouble::Wrong);
    assert_eq!(download(&*remote, &url, 999).await.unwrap_err().trouble, Trouble::Wrong);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_not_believed() {
    let (server, remote) = started();
    for (field, lie) in [
        ("bytes", json!(7)),
        ("secure_url", json!("https://evil.example/x")),
        ("secure_url", json!("https://res.cloudinary.com/other/raw/upload/v1/x")),
        ("secure_url", json!(null)),
    ] {
        server.fault("upload", Fault::Lie(field, lie));
        let error = upload(&*remote, 70, 11).await.unwrap_err();
        assert_eq!(error.trouble, Trouble::Wrong, "{error}");
        assert!(!error.to_string().contains("evil"), "{error}");
    }
    // What is there under our name, and is not what it should be, is replaced.
    server.truncate_all();
    let url = upload(&*remote, 70, 11).await.unwrap().url;
    assert_eq!(download(&*remote, &url, 70).await.unwrap().1, Noise::object(70, 11).sha256);
    let url = upload(&*remote, 9 * MIB, 12).await.unwrap().url;
    server.truncate_all();
    upload(&*remote, 9 * MIB, 12).await.unwrap();
    assert_eq!(download(&*remote, &url, 9 * MIB).await.unwrap().0, 9 * MIB);
}

#[tokio::test]
async fn a_redirect_is_followed_within_the_account_only() {
    let (server, remote) = started();
    let url = upload(&*remote, 60, 13).await.unwrap().url;
    let to = |url: &str| Fault::Answer(302, vec![("Location", url.to_owned())], String::new());
    server.fault("raw/authenticated", to(&url));
    assert_eq!(download(&*remote, &url, 60).await.unwrap().0, 60);
    let elsewhere = CloudinaryServer::start();
    server.fault(
        "raw/authenticated",
        to(&url.replace(&server.port.to_string(), &elsewhere.port.to_string())),
    );
    let error = download(&*remote, &url, 60).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Wrong, "{error}");
    assert!(elsewhere.seen().is_empty());
    for _ in 0..10 {
        server.fault("raw/authenticated", to(&url));
    }
    assert_eq!(download(&*remote, &url, 60).await.unwrap_err().trouble, Trouble::Wrong);
}

#[tokio::test]
async fn nothing_but_our_own_assets_is_asked_for() {
    let (server, remote) = started();
    let ours = upload(&*remote, 60, 14).await.unwrap().url;
    let before = server.seen().len();
    let elsewhere = CloudinaryServer::start();
    for url in [
        ours.replace(&server.port.to_string(), &elsewhere.port.to_string()),
        ours.replace(&format!("/{CLOUD}/"), "/other/"),
        ours.replace("/raw/", "/image/"),
        ours.replace("/imagecached/", "/private/"),
        format!("{ours}?x"),
        ours.replace("127.0.0.1", "localhost"),
    ] {
        assert_eq!(
            download(&*remote, &url, 60).await.unwrap_err().trouble,
            Trouble::Wrong,
            "{url}"
        );
        assert_eq!(remote.remove(&url).await.unwrap_err().trouble, Trouble::Wrong, "{url}");
        assert_eq!(remote.size(&url).await.unwrap_err().trouble, Trouble::Wrong, "{url}");
    }
    assert_eq!(server.seen().len(), before);
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = CloudinaryServer::start();
    let limits =
        imagecached::remote::Limits { answer: Duration::from_secs(2), ..crate::support::limits() };
    let account = store(&[("CLOUDINARY_URL", &server.url())]);
    let remote = imagecached::remote::open_with(&account, limits).unwrap();
    for _ in 0..3 {
        server.fault("upload", Fault::Silence);
    }
    let error = upload(&*remote, 60, 15).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Away, "{error}");
    assert!(error.to_string().contains("no answer for 2s"), "{error}");
    upload(&*open(&account), 60, 15).await.unwrap();
}

#[tokio::test]
async fn secrets_are_in_no_error() {
    let server = CloudinaryServer::start();
    let url = server.url();
    for url in [url.replace(SECRET, "wr0ng-s3cret"), url.replace(KEY, "999")] {
        let remote = open(&store(&[("CLOUDINARY_URL", &url)]));
        let error = upload(&*remote, 60, 16).await.unwrap_err();
        println!("{error}");
        assert_eq!(error.trouble, Trouble::Denied, "{error}");
        let all = format!("{error} {error:?} {remote:?} {:?}", remote.list(&mut |_| {}).await);
        assert!(!all.contains("s3cret") && !all.contains("String to sign"), "{all}");
    }
}
