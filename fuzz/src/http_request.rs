//! Whole requests against the router, with an image cache in an SQLite file: no answer is a fault of ours,
//! nobody without the token changes anything, and no text of a stranger becomes a part of a page.
//!
//! The first line is method and address, lines up to an empty one are headers, the rest is the body.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use imagecached::cleanup::Keeping;
use imagecached::doctor::{Patient, Place};
use imagecached::http::gate::Gate;
use imagecached::http::gate::token::Token;
use imagecached::http::{Figures, Site, router};
use imagecached::model::health::Health;
use imagecached::model::{Digest, FileStat, NewEntry, NewPayload, UploadPath, base64};
use imagecached::settings::{Sources, load};
use imagecached::store::{self, Options, Store};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

/// The operator's token; a corpus may know it, as an operator does.
const TOKEN: &str = "token-of-the-operator";

/// What no page shows as it came.
const MARKUP: &str = "<canary";

struct World {
    runtime: Runtime,
    store: Arc<dyn Store>,
    router: Router,
    directory: PathBuf,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let shared = std::path::Path::new("/dev/shm");
    let parent = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    let directory = parent.join(format!("imagecached-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("media")).expect("a temporary directory");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let url = format!("sqlite://{}/cache.sqlite3", directory.display());
    let flags = [
        ("database_url", url),
        ("upload_dir", directory.join("media").display().to_string()),
        ("token", TOKEN.to_owned()),
    ];
    let sources = Sources {
        flags: flags.map(|(key, value)| (key.to_owned(), value)).into(),
        working_dir: directory.clone(),
        ..Sources::default()
    };
    let settings = Arc::new(load(&sources).expect("settings that are right").settings);
    let options = Options {
        connections: 1,
        acquire_timeout: Duration::from_secs(30),
        call_timeout: Duration::from_secs(30),
        versions: 0,
    };
    let store = {
        let _guard = runtime.enter();
        store::open(&settings.database.target, &options).expect("a file")
    };
    runtime.block_on(async {
        store.migrate().await.expect("a fresh file");
        refill(&*store).await;
    });
    let address = SocketAddr::from(([127, 0, 0, 1], 8310));
    let patient = {
        let (store, settings) = (store.clone(), settings);
        move || Patient {
            settings: settings.clone(),
            store: store.clone(),
            remote: None,
            objects: None,
            upload_dir: Place::Elsewhere,
            platform: None,
            daemon: None,
        }
    };
    let site = Site {
        store: store.clone(),
        remote: None,
        objects: None,
        health: Arc::new(Health::default()),
        guard: None,
        gate: Arc::new(Gate::new(Token::parse(TOKEN).expect("long enough"), address)),
        prefix: String::new(),
        figures: Figures::new(store.clone()),
        keeping: Keeping { versions: Duration::ZERO, trash: Duration::ZERO },
        patient: Box::new(patient),
    };
    let router = router(Arc::new(site));
    World { runtime, store, router, directory }
});

/// Two entries, one of which tries to be more than a name.
async fn refill(store: &dyn Store) {
    let entries = ["products/red-shoe.jpg", "<canary>.svg"].map(|path| {
        let bytes = b"<canary>".as_slice();
        NewEntry {
            path: UploadPath::parse(path).expect("a path"),
            owner: None,
            rewrite: false,
            mime: "image/jpeg".into(),
            sha256: Digest::of(bytes),
            stat: FileStat { size: 8, mtime_ns: 1, ctime_ns: 1, inode: 1, mode: 0o644 },
            payload: NewPayload::Inline(base64::encode(bytes)),
        }
    });
    store.put(&entries).await.expect("two entries");
}

pub fn check(data: &[u8]) {
    let Some((request, knows_the_token)) = request(data) else { return };
    let world = &*WORLD;
    let asked = format!("{} {}", request.method(), request.uri());
    world.runtime.block_on(async {
        let answer =
            world.router.clone().oneshot(request).await.expect("the router always answers");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let kind = headers.get("content-type").map(|kind| kind.to_str().unwrap_or("?").to_owned());
        let kind = kind.unwrap_or_default();
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{asked}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{asked}");
        // A stream of events goes on for ever.
        if !kind.starts_with("text/event-stream") {
            let body = to_bytes(answer.into_body(), 4 << 20).await.expect("an answer of a few KB");
            if kind.starts_with("text/html") {
                let page = String::from_utf8(body.into()).expect("pages are UTF-8");
                assert!(!page.to_ascii_lowercase().contains(MARKUP), "{asked}: {page}");
            }
        }
        if kind.starts_with("text/html") || kind.contains("svg") {
            assert!(headers.contains_key("content-security-policy"), "{asked}: {kind}");
        }
        let entries = world.store.totals().await.expect("figures").entries;
        if !knows_the_token {
            assert_eq!(entries, 2, "{asked} has removed something without the token");
        } else if entries != 2 {
            refill(&*world.store).await;
        }
    });
    assert!(world.directory.join("cache.sqlite3").exists());
}

/// The request that the bytes are, if they are one, and whether it has the token with it.
fn request(data: &[u8]) -> Option<(Request<Body>, bool)> {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &data[data.len()..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, address) = first.split_once(' ')?;
    let mut request = Request::new(Body::from(body.to_vec()));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = address.parse::<Uri>().ok()?;
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("localhost:8310"));
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        match name.as_str() {
            "host" => headers.insert(name, value).is_some(),
            _ => headers.append(name, value),
        };
    }
    let from = SocketAddr::from(([127, 0, 0, 1], 40_000));
    request.extensions_mut().insert(ConnectInfo(from));
    let knows = data.windows(TOKEN.len()).any(|some| some == TOKEN.as_bytes());
    Some((request, knows))
}
