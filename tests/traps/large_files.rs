//! Large files hold nobody up: what is small is stored between their pieces.

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::support::proxy::Proxy;
use crate::t25_memory::write_file;

/// Large files, in mebibytes: one more than there are connections.
const LARGE: [usize; 3] = [32; 3];

/// Bytes a second of each connection: no large file is stored within a minute.
const SLOW: u64 = 400 << 10;

#[test]
fn small_uploads_pass_large_ones_that_take_long() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let proxy = Proxy::new(&sandbox.url());
    let mut command = sandbox.command(&["watch"]);
    command.env("DATABASE_URL", proxy.url());
    let mut watch = Running::start(command);
    watch.wait_for_log("event=scan_finished");
    proxy.slow_up(SLOW);
    for (n, mebibytes) in LARGE.into_iter().enumerate() {
        write_file(&sandbox.uploads.join(format!("{n}.mov")), n as u64, mebibytes);
    }
    // As many as there are connections: large files alone have all of them.
    wait_until("two large files under way", || {
        sandbox.numbers("SELECT count(DISTINCT chunk_set) FROM image_cache_chunk") == [2]
    });
    // One after another, and one that takes most of the memory that there is for contents.
    for n in 0..5 {
        let size = if n == 3 { 1_500_000 } else { 1_000 };
        sandbox.write(&format!("small/{n}.jpg"), &crate::noise(n, size));
        watch.wait_for_log(&format!("event=captured path=small/{n}.jpg"));
    }
    let large = "SELECT count(*) FROM image_cache WHERE original_path LIKE '%.mov'";
    assert_eq!(sandbox.numbers(large), [0], "the small ones have waited for large ones");
    proxy.slow_up(u64::MAX);
    sandbox.wait_for_entries(LARGE.len() + 5);
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert!(sandbox.contents() == sandbox.files());
    sandbox.remove();
}
