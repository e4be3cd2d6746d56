//! HTTP under load beside uploads: figures, and no judgement on times, which are the machine's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::server::{Server, TOKEN};
use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::support::usage::peak_memory;

const CLIENTS: usize = 50;

/// Uploads for so long; gives the close-to-commit times, sorted, in ms.
fn upload(server: &mut Server, name: &str, seconds: u64) -> Vec<u64> {
    let began = Instant::now();
    let mut times = Vec::new();
    while began.elapsed() < Duration::from_secs(seconds) {
        let path = format!("{name}/{}.jpg", times.len());
        server.sandbox.write(&path, &[7; 50_000]);
        let line = server.running.wait_for_log("event=captured");
        let text = line.split("unsafe_ms=").nth(1).unwrap();
        times.push(text.split(' ').next().unwrap().parse().unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    times.sort_unstable();
    times
}

#[test]
fn fifty_clients_and_uploads_at_once() {
    let seconds = std::env::var("IMAGECACHED_TEST_LOAD_SECONDS")
        .map_or(5, |seconds| seconds.parse().expect("seconds"));
    let mut sandbox = Sandbox::new(Kind::Postgres);
    sandbox.environment.push(("IMAGECACHED_TOKEN".into(), TOKEN.into()));
    let mut server = Server::of(sandbox, "watch", "127.0.0.1:0", &[]);
    let quiet = upload(&mut server, "quiet", seconds.min(10));
    let quiet_peak = peak_memory(server.running.pid()) >> 10;
    let (stop, answers, refused) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let address = server.address;
    let busy = std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (stop, answers, refused) = (&stop, &answers, &refused);
            scope.spawn(move || {
                let pages = ["", "entries/", "entries/?search=1", "login"];
                let url = format!(
                    "http://{address}/partners/image-cache/admin/{}",
                    pages[client % pages.len()]
                );
                let agent = ureq::Agent::new_with_defaults();
                while !stop.load(Relaxed) {
                    match agent.get(&url).call() {
                        Ok(mut answer) => {
                            answer.body_mut().read_to_string().expect("a page");
                            answers.fetch_add(1, Relaxed)
                        }
                        Err(_) => refused.fetch_add(1, Relaxed),
                    };
                }
            });
        }
        let busy = upload(&mut server, "busy", seconds);
        stop.store(true, Relaxed);
        busy
    });
    for (name, times) in [("quiet", &quiet), ("50 clients", &busy)] {
        let at = |part: usize| times[(times.len() - 1) * part / 100];
        println!(
            "{name}: {} uploads, close to commit p50 {} ms, p99 {} ms, max {} ms",
            times.len(),
            at(50),
            at(99),
            at(100)
        );
    }
    let rate = answers.load(Relaxed) / seconds;
    println!("{rate} answers a second, {} refused", refused.load(Relaxed));
    println!("peak memory: {quiet_peak} KiB, then {} KiB", peak_memory(server.running.pid()) >> 10);
    assert_ne!(answers.load(Relaxed), 0);
    server.end();
}
