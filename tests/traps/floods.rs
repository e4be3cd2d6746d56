//! Floods: very many files at once. All are stored, memory stays within its bound, and what is uploaded
//! meanwhile does not wait for the end.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::support::database::Kind;
use crate::support::port::Port;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::support::proxy::Proxy;
use crate::t25_memory::write_file;
use crate::{is_long, peak_memory};

/// What the program may take: see `t25_memory.rs`. The names of the files that wait, and those that are
/// known to be stored, come on top: some 300 bytes for each.
const MOST_MEMORY: u64 = 96 << 20;
const EACH_NAME: u64 = 300;

/// Tiny files, and files of 5 MiB.
fn sizes() -> (usize, usize) {
    if is_long() { (100_000, 500) } else { (14_000, 24) }
}

/// As many files may be stored between the moment at which the daemon hears of an upload in a flood and its turn. A
/// thousand are read ahead, and the readers are some hundreds further.
const MOST_BEFORE: usize = 5_000;

/// As many of them may be of 5 MiB: two are read, two are written, and new ones come between two uploads.
const MOST_LARGE_BEFORE: usize = 12;

/// As many files have room in the daemon's queue, by whatever way it hears of them.
const ROOM: usize = 15_000;

/// Tiny files are spread over so many directories, and one half of them lies in one.
const DIRECTORIES: usize = 50;

fn write_flood(sandbox: &Sandbox, tiny: usize, large: usize) {
    for n in 0..tiny {
        let directory = if n % 2 == 0 { 0 } else { n % DIRECTORIES };
        sandbox.write(&format!("import/{directory}/{n}.jpg"), format!("tiny file {n}").as_bytes());
    }
    for n in 0..large {
        let directory = sandbox.uploads.join(format!("scans/{}", n % 7));
        fs::create_dir_all(&directory).unwrap();
        write_file(&directory.join(format!("{n}.tif")), n as u64, 5);
    }
}

/// What the log says of a file that has become safe.
struct Captured<'l> {
    path: &'l str,
    /// When that was, and when the daemon had heard of it.
    safe: SystemTime,
    heard: SystemTime,
}

impl<'l> Captured<'l> {
    fn read(line: &'l str) -> Self {
        let word = |key: &str| line.split(key).nth(1).unwrap().split(' ').next().unwrap();
        let safe = humantime::parse_rfc3339(word("ts=")).unwrap();
        let unsafe_for = Duration::from_millis(word("unsafe_ms=").parse().unwrap());
        Self { path: word(" path="), safe, heard: safe - unsafe_for }
    }

    /// All of them, in their order.
    fn all(log: &'l str) -> Vec<Self> {
        log.lines().filter(|line| line.contains("event=captured")).map(Self::read).collect()
    }
}

/// As many files the daemon knows not to be safe.
fn heard_of(sandbox: &Sandbox) -> u64 {
    let status: Value = serde_json::from_str(&sandbox.ok(&["status", "--json"])).unwrap();
    status["daemon"]["unsaved"].as_u64().unwrap_or(0)
}

/// Waits for so many entries, and leaves the server to its work meanwhile.
pub fn wait_for_count(sandbox: &Sandbox, count: usize) {
    let began = Instant::now();
    while sandbox.numbers("SELECT count(*) FROM image_cache") != [count as i64] {
        assert!(began.elapsed() < Duration::from_secs(1_200), "waited in vain for {count} entries");
        thread::sleep(Duration::from_millis(200));
    }
}

fn order_is_fair_and_memory_bounded(kind: Kind, tiny: usize, large: usize) {
    let sandbox = Sandbox::new(kind);
    fs::create_dir(sandbox.uploads.join("products")).unwrap();
    let mut proxy = Proxy::new(&sandbox.url());
    let mut command = sandbox.command(&["watch"]);
    command.env("DATABASE_URL", proxy.url());
    let mut watch = Running::start(command);
    watch.wait_for_log("event=scan_finished");
    // So that the whole flood waits when it begins to be stored, however fast this machine is: the question is not
    // how long it takes to hear of it.
    proxy.go_away();
    write_flood(&sandbox, tiny, large);
    wait_until("the flood waits", || heard_of(&sandbox) >= ROOM.min(tiny + large) as u64);
    proxy.come_back();
    let began = Instant::now();
    let mut probes = Vec::new();
    let total = tiny + large;
    watch.wait_for_log("event=captured");
    loop {
        // The last tenth says nothing of the order.
        if watch.count_log("event=captured") > total * 9 / 10 {
            break;
        }
        // In a directory of its own, and in the fullest of the flood. Both are watched: so the daemon hears of the end
        // of the writing, and measures from then.
        let directory = if probes.len() % 2 == 0 { "products" } else { "import/0" };
        let path = format!("{directory}/customer-{}.jpg", probes.len());
        sandbox.write(&path, path.as_bytes());
        // One after another: of several that wait the newest comes first, however slow this machine is.
        watch.wait_for_log(&format!("event=captured path={path} "));
        probes.push(path);
        thread::sleep(Duration::from_millis(if is_long() { 2_000 } else { 250 }));
    }
    let probed = probes.len();
    assert!(probed > 0, "the flood was over at once");
    wait_for_count(&sandbox, total + probed);
    let took = began.elapsed();
    let memory = peak_memory(watch.pid());
    let (status, log) = watch.stop();
    assert!(status.success(), "{}", log.lines().last().unwrap());
    let order = Captured::all(&log);
    let mut slowest = Duration::ZERO;
    // Of those stored between the daemon's hearing of an upload and its turn: all, and those of 5 MiB. When it hears
    // of it is up to the machine, which may be busy with something else.
    let waits: Vec<(usize, usize)> = probes
        .iter()
        .map(|path| {
            let turn = order.iter().position(|other| other.path == path).unwrap();
            let Captured { safe, heard, .. } = order[turn];
            slowest = slowest.max(safe.duration_since(heard).unwrap());
            let before = || order[..turn].iter().filter(|other| other.safe >= heard);
            (before().count(), before().filter(|other| other.path.ends_with(".tif")).count())
        })
        .collect();
    println!(
        "{kind:?}: {tiny} tiny files and {large} of 5 MiB: stored in {:.1} s, peak memory {} MiB; {probed} uploads \
         meanwhile, each safe after {} ms at most, with at most {} tiny and {} large files stored before it",
        took.as_secs_f64(),
        memory >> 20,
        slowest.as_millis(),
        waits.iter().map(|(all, large)| all - large).max().unwrap(),
        waits.iter().map(|(_, large)| large).max().unwrap()
    );
    for (path, (all, large)) in probes.iter().zip(&waits) {
        assert!(*all <= MOST_BEFORE, "{path}: {all} of {total} were stored before it");
        assert!(*large <= MOST_LARGE_BEFORE, "{path}: {large} large files were stored before it");
    }
    assert!(memory < MOST_MEMORY + EACH_NAME * total as u64, "{} MiB", memory >> 20);
    let flood = sandbox.ok(&["status"]);
    assert!(flood.contains("every one is safe"), "{flood}");
    sandbox.remove();
}

#[test]
fn a_flood_of_tiny_files_into_postgres() {
    order_is_fair_and_memory_bounded(Kind::Postgres, sizes().0, 0);
}

#[test]
fn a_flood_of_tiny_and_large_files_into_postgres() {
    order_is_fair_and_memory_bounded(Kind::Postgres, sizes().0 / 100, sizes().1);
}

/// How long a web request takes beside a flood. A figure: a machine's speed is nothing to rely on.
#[test]
fn an_app_beside_a_flood_answers() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let python = std::env::var("IMAGECACHED_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let own = Port::new();
    let port = own.number();
    let app = format!("cd \"$BESIDE\" && exec {python} -m http.server --bind 127.0.0.1 {port}");
    let mut command = sandbox.run(&[], &app);
    command.env("IMAGECACHED_LOG_LEVEL", "info");
    let run = Running::start(command);
    wait_until("the app", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let quiet = latencies(port, 100, || false);
    let (tiny, large) = (sizes().0 / 6, sizes().1 / 4);
    let flooded = thread::scope(|scope| {
        let flood = scope.spawn(|| {
            write_flood(&sandbox, tiny, large);
            wait_for_count(&sandbox, tiny + large);
        });
        latencies(port, usize::MAX, || flood.is_finished())
    });
    let shown = |sorted: &[Duration]| {
        let of = |share: usize| sorted[(sorted.len() - 1) * share / 100].as_secs_f64() * 1e3;
        format!("median {:.1} ms, p99 {:.1} ms of {}", of(50), of(99), sorted.len())
    };
    println!("a web request: {}; beside a flood: {}", shown(&quiet), shown(&flooded));
    run.stop();
    sandbox.remove();
}

/// The times that requests take, sorted.
fn latencies(port: u16, most: usize, enough: impl Fn() -> bool) -> Vec<Duration> {
    let mut times = Vec::new();
    while times.len() < most && (times.len() < 10 || !enough()) {
        let began = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.0 200"), "{}", String::from_utf8_lossy(&answer));
        times.push(began.elapsed());
        thread::sleep(Duration::from_millis(10));
    }
    times.sort();
    times
}

/// Its tables were small when the daemon started.
#[test]
fn many_new_entries_get_the_indexes_of_lists_while_the_daemon_runs() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let indexes = "SELECT count(*) FROM pg_indexes WHERE indexname = 'image_cache_updated'";
    let mut watch = sandbox.watch_with(&["scan_interval=1s"]);
    sandbox.write("first.jpg", b"first");
    sandbox.wait_for_entries(1);
    // The most of them by somebody else, which is quicker.
    sandbox.sql(
        "INSERT INTO image_cache (original_path)
        SELECT repeat('directory/', 20) || number FROM generate_series(1, 90000) AS number",
    );
    assert_eq!(sandbox.numbers(indexes), [0]);
    write_flood(&sandbox, 10_100, 0);
    watch.wait_for_log("event=lists_indexed");
    assert_eq!(sandbox.numbers(indexes), [1]);
    let (status, log) = watch.stop();
    assert!(status.success(), "{}", &log[log.len().saturating_sub(4_000)..]);
    sandbox.remove();
}
