//! Chaos: writers of many kinds, a daemon that is killed and frozen all the time, a database and a network
//! that come and go, disks that are full. After each round the disk is thrown away, restored, and every
//! byte is compared with what must be there.
//!
//! ```text
//! tests/with-services cargo test --test chaos                               the short run, as in CI
//! tests/with-services cargo test --test chaos -- --rounds 200 --seed 7      the long run
//! tests/with-services cargo test --test chaos -- --seed 7 --round 31        one round of it again
//! tests/with-services cargo test --test chaos -- --seed 7 --round 31 --plan what it would do
//! ```
//!
//! A plan is the seed's alone; what comes of it is also a matter of time. Ends with 1 unless nothing was lost,
//! damaged or half-written; the directory of a round that has found something is kept.
//!
//! Read `plan`, `round` and `model`, in this order; `writers` says how it is written, `stage` what is done to
//! the rest.

#[path = "../support/mod.rs"]
mod support;

mod content;
mod daemon;
mod disk;
mod model;
mod options;
mod plan;
mod random;
mod report;
mod round;
mod sampler;
mod servers;
mod stage;
mod writers;

use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, ExitCode};

use tempfile::TempDir;

use options::Options;
use plan::{Plan, Product};
use report::Figures;
use round::Outcome;
use servers::Server;

/// So many rounds with faults, and nobody goes on: the first ones tell enough.
const ENOUGH: u32 = 5;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("chaos: {wrong}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    with_own_mounts();
    let root = TempDir::with_prefix("imagecached-chaos-").expect("a directory");
    let small_disks = disk::can_mount(root.path());
    if options.only_plan {
        options
            .rounds()
            .for_each(|round| print!("{}", Plan::draw(options.seed, round, small_disks)));
        return ExitCode::SUCCESS;
    }
    println!("seed={} rounds={:?}", options.seed, options.rounds());
    let found = run(&options, root.path(), small_disks);
    if found == 0 {
        return ExitCode::SUCCESS;
    }
    println!("kept: {}", root.keep().display());
    ExitCode::FAILURE
}

/// Plays the rounds; says how many have found something.
fn run(options: &Options, root: &Path, small_disks: bool) -> u32 {
    let mut servers = Servers::default();
    let mut figures = Figures { full_disks: small_disks.then_some(0), ..Figures::default() };
    let mut found = 0;
    for number in options.rounds() {
        let plan = Plan::draw(options.seed, number, small_disks);
        let directory = root.join(format!("round-{number}"));
        std::fs::create_dir(&directory).expect("a directory");
        let server = servers.of(plan.product, root);
        let played = catch_unwind(AssertUnwindSafe(|| {
            round::play(&plan, options, &directory, server, &mut figures)
        }));
        let panicked = played.is_err();
        let outcome = played.unwrap_or_else(|_| Outcome {
            faults: Vec::new(),
            stuck: Some("it panicked; what it said is above".to_owned()),
        });
        figures.rounds += 1;
        figures.count_faults(&outcome.faults);
        if outcome.stuck.is_none() && outcome.faults.is_empty() {
            std::fs::remove_dir_all(&directory).expect("it goes");
        } else {
            found += 1;
            println!("seed={} {plan}", options.seed);
            outcome.faults.iter().for_each(|fault| println!("  {fault:?}"));
            outcome.stuck.iter().for_each(|why| println!("  {why}"));
            println!("  again: --seed {} --round {number}", options.seed);
        }
        if figures.rounds.is_multiple_of(10) {
            println!("{figures}");
        }
        // The writers of a round that has panicked are still at work.
        if panicked || found == ENOUGH {
            break;
        }
    }
    println!("{figures}");
    found
}

/// The servers that there are by now: each is started when a round wants it.
#[derive(Default)]
struct Servers {
    postgres: Option<Server>,
    mariadb: Option<Server>,
}

impl Servers {
    fn of(&mut self, product: Product, root: &Path) -> Option<&mut Server> {
        let place = match product {
            Product::Postgres => &mut self.postgres,
            Product::MariaDb => &mut self.mariadb,
            Product::Sqlite => return None,
        };
        let server = place.get_or_insert_with(|| Server::new(product, root));
        // The round before may have left it stopped.
        server.start();
        Some(server)
    }
}

/// Goes on in a mount namespace of its own, where that is possible: what is mounted is nobody else's business,
/// and is gone when we are.
fn with_own_mounts() {
    const DONE: &str = "IMAGECACHED_CHAOS_MOUNTS";
    let possible = Command::new("unshare").args(["--mount", "true"]).output();
    if std::env::var_os(DONE).is_some() || !possible.is_ok_and(|done| done.status.success()) {
        return;
    }
    let program = std::env::current_exe().expect("a name of our own");
    let mut again = Command::new("unshare");
    again.args(["--mount", "--"]).arg(program).args(std::env::args_os().skip(1)).env(DONE, "yes");
    panic!("unshare, which was here: {}", again.exec());
}
