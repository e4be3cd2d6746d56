//! What lists, searches and figures cost at 100,000 entries, or as many as are named, on each database: first the
//! store's calls, then the answers over HTTP, asked of a real `serve`.
//!
//!     tests/with-services cargo bench --bench lists
//!     tests/with-services cargo bench --bench lists -- http
//!     tests/with-services cargo bench --bench lists -- http 1000000
//!
//! The second and the third ask over HTTP only. Prints milliseconds for each call: the median of fifteen, and the slowest. An
//! answer over HTTP is to take less than 100: where the median does not, the line says so, and the end is a
//! failure. What else the machine does meanwhile counts as well. 4,000 of the entries have payloads
//! of 4 to 80 KB, the others of half a kilobyte to two, which lie among the rows themselves; where more than 100,000
//! are named, payloads have about a hundred bytes, and answers for which every entry has to be looked at
//! ([`LOOKS_AT_ALL`]) may take longer. Of SQLite it also
//! prints how many megabytes a call reads: the file has some hundreds.

#[path = "../tests/support/database.rs"]
#[allow(dead_code, reason = "tests ask for more")]
mod database;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use database::{Database, Kind};
use imagecached::model::entry::PayloadKind;
use imagecached::store::{ListQuery, Sort, Store, Target};

/// Unless told otherwise.
const ENTRIES: u32 = 100_000;

/// Milliseconds that an answer over HTTP may take.
const BAR: f64 = 100.0;

/// What is asked over HTTP: every order and filter of the API, of the panel, and the figures.
const ANSWERS: [&str; 28] = [
    "entries/",
    "entries/?order=desc",
    "entries/?sort=size&order=desc",
    "entries/?sort=created",
    "entries/?sort=updated&order=desc",
    "entries/?sort=accessed",
    "entries/?search=jpg",
    "entries/?search=77",
    "entries/?search=/77777.jpg",
    "entries/?search=no-such",
    "entries/?search=jpg&sort=size",
    "entries/?search=77&sort=size&order=desc",
    "entries/?search=jpg&sort=updated&order=desc",
    "entries/?search=no-such&sort=updated&order=desc",
    "entries/?type=image/png",
    "entries/?type=image/png&payload=inline&sort=size",
    "entries/?type=video/&sort=updated",
    "entries/?payload=chunks",
    "entries/?has_data=false&sort=updated",
    "entries/?not_accessed_days=90",
    "entries/?not_accessed_days=90&search=7&sort=accessed",
    "status/",
    "admin/entries/",
    "admin/entries/?search=77",
    "admin/entries/?search=jpg&sort=size",
    "admin/entries/?search=no-such",
    "admin/entries/?days=90",
    "admin/",
];

/// Those of them that few or none of the entries match, so that every entry has to be looked at: no order helps.
const LOOKS_AT_ALL: [&str; 6] = [
    "entries/?search=/77777.jpg",
    "entries/?search=no-such",
    "entries/?search=no-such&sort=updated&order=desc",
    "entries/?type=video/&sort=updated",
    "entries/?payload=chunks",
    "admin/entries/?search=no-such",
];

/// What goes into each row, by its number `n`: written in the words of one database.
struct Words {
    numbers: &'static str,
    hex: &'static str,
    payload: &'static str,
    ago: &'static str,
    since: &'static str,
    extra: (&'static str, &'static str),
}

const SQLITE: Words = Words {
    numbers: "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ENTRIES)",
    hex: "printf('%08x', n * 2654435761 % 4294967296)",
    payload: "printf('%.*c', SIZE, 'A')",
    ago: "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || (n % DAYS) || ' days', '-' || (n % 86000) || ' seconds')",
    since: "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || SECONDS || ' seconds')",
    extra: ("", ""),
};

const POSTGRES: Words = Words {
    numbers: "WITH number (n) AS (SELECT generate_series(1, ENTRIES::bigint))",
    hex: "lpad(to_hex(n * 2654435761 % 4294967296), 8, '0')",
    payload: "repeat('A', SIZE::int)",
    ago: "now() - interval '1 day' * (n % DAYS) - interval '1 second' * (n % 86000)",
    since: "now() - interval '1 second' * SECONDS",
    extra: ("", ""),
};

const MARIADB: Words = Words {
    numbers: "",
    hex: "LPAD(HEX(n * 2654435761 % 4294967296), 8, '0')",
    payload: "REPEAT('A', SIZE)",
    ago: "UTC_TIMESTAMP(6) - INTERVAL (n % DAYS) DAY - INTERVAL (n % 86000) SECOND",
    since: "UTC_TIMESTAMP(6) - INTERVAL SECONDS SECOND",
    extra: (", path_hash", ", UNHEX(SHA2(CONCAT('products/', HEX, '/', n, '.jpg'), 256))"),
};

async fn fill(database: &Database, entries: u32) {
    let (words, join) = match database.kind {
        Kind::Sqlite => (&SQLITE, "||"),
        Kind::MariaDb => (&MARIADB, ","),
        _ => (&POSTGRES, "||"),
    };
    let size = if entries > ENTRIES {
        "(40 + n % 100)"
    } else {
        "(CASE WHEN n % 25 = 0 THEN 5400 + n * 37 % 101000 ELSE 700 + n % 2000 END)"
    };
    let path = match join {
        "||" => format!("'products/' || {} || '/' || n || '.jpg'", words.hex),
        _ => format!("CONCAT('products/', {}, '/', n, '.jpg')", words.hex),
    };
    let ago = |days: &str| words.ago.replace("DAYS", days);
    let numbers = match database.kind {
        Kind::MariaDb => "FROM (SELECT seq AS n FROM seq_1_to_ENTRIES) number",
        _ => "FROM number",
    };
    let select = format!(
        "SELECT {path}, n * 7919 % 9000000, CASE WHEN n % 9 = 0 THEN 'image/png' ELSE 'image/jpeg' END,
            {}, {}, {}, '', CASE WHEN n % 50 = 7 THEN NULL ELSE {} END{} {numbers}",
        ago("700"),
        // As entries come to be: one after another.
        words.since.replace("SECONDS", "((ENTRIES - n) * 250)"),
        ago("120"),
        words.payload.replace("SIZE", size),
        words.extra.1.replace("HEX,", &format!("{},", words.hex)),
    );
    let insert = format!(
        "INSERT INTO image_cache (original_path, file_size, content_type_header, created_at, updated_at,
            last_accessed, sha256, image_data{})",
        words.extra.0
    );
    let sql = match database.kind {
        Kind::MariaDb => format!("{insert} {select}"),
        _ => format!("{} {insert} {select}", words.numbers),
    };
    database.run(&sql.replace("ENTRIES", &entries.to_string())).await;
    // As the servers do by themselves after a while.
    match database.kind {
        Kind::MariaDb | Kind::Sqlite => {}
        _ => database.run("ANALYZE image_cache").await,
    }
}

/// Bytes that this process has read.
fn bytes_read() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Calls it again and again, and prints the times; gives the median.
async fn time<T>(name: &str, mut call: impl AsyncFnMut() -> T) -> f64 {
    call().await;
    let mut times = Vec::new();
    let before = bytes_read();
    for _ in 0..15 {
        let began = Instant::now();
        call().await;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let read = (bytes_read() - before) as f64 / 15e6;
    times.sort_by(f64::total_cmp);
    let missed = if name.contains('/') && times[7] >= BAR { "  TOO SLOW" } else { "" };
    println!("  {name:<54} {:8.1} ms {:8.1} ms {read:8.1} MB{missed}", times[7], times[14]);
    times[7]
}

/// Measures one database; `false` when an answer over HTTP takes too long.
async fn measure(kind: Kind, entries: u32, calls: bool) -> bool {
    let database = Database::fresh(kind).await;
    let store = database.open();
    store.migrate().await.unwrap();
    fill(&database, entries).await;
    // With the indexes that come once there are many entries.
    store.migrate().await.unwrap();
    assert_eq!(store.totals().await.unwrap().entries, u64::from(entries));
    println!(
        "{}: {entries} entries{:>50}{:>12}{:>12}",
        store.product(),
        "median",
        "slowest",
        "read"
    );
    if calls {
        store_calls(&*store).await;
    }
    let mut slowest: f64 = 0.0;
    let server = Server::start(&database);
    for path in ANSWERS {
        let median = time(path, async || server.ask(path)).await;
        if entries <= ENTRIES || !LOOKS_AT_ALL.contains(&path) {
            slowest = slowest.max(median);
        }
    }
    drop(server);
    store.close().await;
    database.remove().await;
    slowest < BAR
}

async fn store_calls(store: &dyn Store) {
    figures(store).await;
    let page = || ListQuery { limit: Some(50), ..ListQuery::default() };
    let sorts = [
        ("newest first", Sort::Updated, true),
        ("by path", Sort::Path, false),
        ("largest first", Sort::Size, true),
        ("by creation", Sort::Created, false),
        ("longest unused first", Sort::Accessed, false),
    ];
    for (name, sort, descending) in sorts {
        let query = ListQuery { sort, descending, ..page() };
        list(store, name, &query).await;
        let deep = ListQuery { offset: 50_000, limit: Some(1), ..query.clone() };
        let after = store.page(&deep).await.unwrap().next;
        list(store, &format!("{name}, from the middle"), &ListQuery { after, ..query }).await;
    }
    let newest = || ListQuery { sort: Sort::Updated, descending: true, ..page() };
    let search = |text: &str| Some(text.to_owned());
    for (name, query) in [
        ("search, all match", ListQuery { search: search("jpg"), ..page() }),
        ("search, one matches", ListQuery { search: search("/77777.jpg"), ..page() }),
        ("search, none matches", ListQuery { search: search("no such"), ..newest() }),
        ("search, largest first", ListQuery { search: search("7"), sort: Sort::Size, ..page() }),
        ("type", ListQuery { mime: search("image/png"), ..page() }),
        ("type, none has it", ListQuery { mime: search("video/"), ..newest() }),
        ("in chunks: none", ListQuery { payload: Some(PayloadKind::Chunks), ..page() }),
        ("without data", ListQuery { has_data: Some(false), ..newest() }),
        ("unused for 90 days", ListQuery { not_accessed_days: Some(90), ..page() }),
    ] {
        list(store, name, &query).await;
        let counted = ListQuery { count_up_to: Some(10_001), ..query };
        list(store, &format!("{name}, counted"), &counted).await;
    }
}

/// A real `serve` on the database, in the profile of this benchmark.
struct Server {
    child: Child,
    /// Host and port.
    address: String,
}

impl Server {
    fn start(database: &Database) -> Self {
        let url = match &database.target {
            Target::Postgres(url) | Target::MySql(url) => url.clone(),
            Target::Sqlite(path) => format!("sqlite://{}", path.display()),
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_imagecached"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(std::env::temp_dir())
            .env("DATABASE_URL", url)
            .env("IMAGECACHED_TOKEN", "a-token-for-the-benchmark")
            .env("IMAGECACHED_LOG_FORMAT", "logfmt")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("event=listening")).expect("it listens");
        let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.expect("an address").trim_matches('"').to_owned();
        // A pipe that nobody reads would stop it one day.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// Asks, and reads the answer to its end.
    fn ask(&self, path: &str) {
        let mut stream = TcpStream::connect(&self.address).expect("it answers");
        let (host, prefix) = (&self.address, "/partners/image-cache");
        let request =
            format!("GET {prefix}/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it takes requests");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn figures(store: &dyn Store) {
    time("totals", async || store.totals().await.unwrap()).await;
    time("growth of 90 days", async || store.growth(90).await.unwrap()).await;
    time("growth of two years", async || store.growth(730).await.unwrap()).await;
}

async fn list(store: &dyn Store, name: &str, query: &ListQuery) {
    time(name, async || store.page(query).await.unwrap()).await;
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let calls = !std::env::args().any(|argument| argument == "http");
    let entries = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(ENTRIES);
    let kinds = [Kind::Sqlite, Kind::Postgres, Kind::MariaDb];
    let quick = kinds.map(|kind| runtime.block_on(measure(kind, entries, calls)));
    assert_eq!(quick, [true; 3], "an answer takes {BAR} ms or more");
}
