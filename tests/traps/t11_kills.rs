//! SIGKILL at any moment: in the middle of captures and in the middle of restores. No part of a file or of an
//! entry is ever left, and the next start goes on where this one ended.
//!
//! Two settings in the environment: `IMAGECACHED_TEST_KILLS=200` for a long run, and `IMAGECACHED_TEST_SEED` for
//! another one than the usual. Both are printed with the figures:
//!
//! ```text
//! IMAGECACHED_TEST_KILLS=200 tests/with-services cargo test --test traps t11 -- --nocapture
//! ```

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};
use crate::{DATABASES, file_systems, noise};

/// In CI, over all databases.
const KILLS: u64 = 24;

/// Left by a restore that was killed on a file system whose unfinished files need a name.
const DRAFT: &str = "0/.imagecached-0123456789abcdef.tmp";

fn from_environment(name: &str, usual: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(usual, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

/// Numbers that look random, and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[derive(Debug, Default)]
struct Figures {
    kills: u64,
    /// Kills that left a part of the files to do.
    in_the_middle: u64,
    files: usize,
}

/// Kills the program after a while: from at once to a bit more than its work takes.
fn kill(running: Running, dice: &mut Dice, figures: &mut Figures) {
    thread::sleep(Duration::from_micros(dice.below(600_000)));
    // It may have ended by itself; then this is the check of a restore that was not disturbed.
    running.signal_group(9);
    running.wait();
    figures.kills += 1;
}

/// Small files, files of the row's size and files in chunks, some of them of before.
fn upload(sandbox: &Sandbox, round: u64, dice: &mut Dice) {
    for n in 0..25 {
        let name = format!("{}/{}.jpg", n % 5, if n < 5 { n } else { round * 100 + n });
        sandbox.write(&name, &noise(dice.below(u64::MAX), 2_000 + dice.below(30_000) as usize));
    }
    sandbox.write(&format!("row{round}.jpg"), &noise(dice.below(u64::MAX), 200_000));
    sandbox.write("large.bin", &noise(dice.below(u64::MAX), 3_000_000 + round as usize));
}

/// Every entry's content is one that its file has had.
fn no_partial_entry(sandbox: &Sandbox, had: &BTreeMap<String, Vec<Vec<u8>>>) -> usize {
    // A start that was killed at once may not have made the tables yet.
    if sandbox.paths().is_empty() {
        return 0;
    }
    // A damaged entry would make this fail.
    let stored = sandbox.contents();
    for (path, content) in &stored {
        assert!(had[path].contains(content), "{path} was never like this: {} bytes", content.len());
    }
    stored.len()
}

/// Every file is whole, and only ours are unfinished ones.
fn no_partial_file(sandbox: &Sandbox, stored: &BTreeMap<String, Vec<u8>>) -> usize {
    let mut files = sandbox.files();
    files.remove(DRAFT);
    for (path, content) in &files {
        assert!(stored.get(path) == Some(content), "{path} was restored with another content");
    }
    files.len()
}

fn killed_again_and_again(kind: Kind, kills: u64, seed: u64) {
    let mut dice = Dice(seed ^ kind as u64);
    let mut figures = Figures::default();
    let mut place = 0;
    while figures.kills < kills {
        // A new database now and then, so that the making of its tables is hit as well.
        let sandbox = Sandbox::beneath(kind, &file_systems()[place % 2]);
        place += 1;
        let mut had: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        let until = kills.min(figures.kills + 12);
        let mut round = 0;
        while figures.kills < until {
            // What the last restore has brought back may be of before the kill.
            upload(&sandbox, round, &mut dice);
            for (path, content) in sandbox.files() {
                had.entry(path).or_default().push(content);
            }
            let watch = sandbox.start(&["watch", "--set", "inline_limit=1MiB"]);
            kill(watch, &mut dice, &mut figures);
            let stored = no_partial_entry(&sandbox, &had);
            figures.in_the_middle += u64::from(stored > 0 && stored < sandbox.files().len());

            // Whatever it was killed at, the next one goes on.
            sandbox.ok(&["cache-all", "--set", "inline_limit=1MiB"]);
            let stored = sandbox.contents();
            assert!(stored == sandbox.files(), "{kind:?}: not everything was stored afterwards");

            sandbox.wipe();
            let restoring = match dice.below(2) {
                0 => sandbox.start(&["restore"]),
                _ => Running::start(sandbox.run(&["boot_deadline=5m"], "sleep 60")),
            };
            kill(restoring, &mut dice, &mut figures);
            let restored = no_partial_file(&sandbox, &stored);
            figures.in_the_middle += u64::from(restored > 0 && restored < stored.len());
            sandbox.write(DRAFT, b"half of a fi");
            sandbox.ok(&["restore"]);
            assert!(sandbox.files() == stored, "{kind:?}: {:?}", sandbox.files().keys());
            figures.files += stored.len();
            round += 1;
        }
        sandbox.remove();
    }
    let Figures { kills, in_the_middle, files } = figures;
    println!(
        "t11: {kind:?}, seed {seed}: {kills} kills, {in_the_middle} of them in the middle, \
         {files} files; 0 lost, 0 partial files, 0 partial entries, 0 drafts left"
    );
    // Where each of many kills comes too early or too late, this tests nothing.
    assert!(kills < 50 || in_the_middle > 0, "no kill has hit anything");
}

fn killed_at_any_moment(kind: Kind) {
    let kills = from_environment("IMAGECACHED_TEST_KILLS", KILLS);
    let seed = from_environment("IMAGECACHED_TEST_SEED", 11);
    killed_again_and_again(kind, kills.div_ceil(DATABASES.len() as u64), seed);
}

#[test]
fn t11_killed_at_any_moment_with_postgres() {
    killed_at_any_moment(Kind::Postgres);
}

#[test]
fn t11_killed_at_any_moment_with_mariadb() {
    killed_at_any_moment(Kind::MariaDb);
}

#[test]
fn t11_killed_at_any_moment_with_sqlite() {
    killed_at_any_moment(Kind::Sqlite);
}
