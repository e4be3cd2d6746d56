//! The plan of a round: what is tried, drawn from the seed alone.

use std::fmt;

use crate::random::Random;
use crate::writers::{WAYS, Way};

/// A database product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Postgres,
    MariaDb,
    Sqlite,
}

/// What the upload directory is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// What holds the temporary directory.
    Disk,
    Memory,
    /// A small tmpfs, which gets full; so does an SQLite file.
    Small,
}

/// How a database server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Fast,
    Immediate,
    Kill,
}

/// Something that happens while the writers write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// SIGTERM to the daemon.
    Term,
    /// SIGKILL to the daemon and its app.
    Kill,
    /// The daemon starts, if it does not run.
    Start,
    /// SIGSTOP to the daemon.
    Freeze,
    Thaw,
    /// The database server ends.
    DatabaseDown(Stop),
    DatabaseUp,
    /// All connections are cut, and none is taken any more.
    NetworkDown,
    NetworkUp,
    /// All connections are cut.
    Cut,
    /// What comes on the connections of now is swallowed.
    Silence,
    DiskFull,
    DiskFree,
}

/// How a round makes sure that everything is safe, before the disk is thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// The daemon is asked to end, and ends with 0.
    Drain,
    /// `status` says that nothing is unsaved; the daemon is killed then.
    Status,
    /// The daemon is killed, and `cache-all` ends with 0.
    CacheAll,
}

/// What happens to a restore in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// `restore` is killed.
    Kill,
    /// A daemon that has begun to restore is killed.
    KillDaemon,
    /// The connections are cut.
    Cut,
    /// The disk is full.
    DiskFull,
}

/// The disk's life, from a start to the moment when it is thrown away.
#[derive(Debug, Clone)]
pub struct Life {
    pub writers: Vec<(Way, u64)>,
    /// Milliseconds after the start, in order.
    pub events: Vec<(u64, Event)>,
    pub quiet: Quiet,
    /// Each after so many milliseconds; a restore to the end follows.
    pub interruptions: Vec<(u64, Interruption)>,
    /// The next life begins with an empty disk.
    pub empty_afterwards: bool,
}

/// A round.
#[derive(Debug, Clone)]
pub struct Plan {
    pub number: u64,
    pub product: Product,
    pub medium: Medium,
    /// `run` with an app, rather than `watch`.
    pub with_app: bool,
    pub settings: Vec<String>,
    /// The daemon is neither killed nor asked to end while the writers are at work.
    pub daemon_stays: bool,
    pub lives: Vec<Life>,
}

impl Plan {
    /// The plan of a round. Where nothing can be mounted, no disk is full.
    pub fn draw(seed: u64, number: u64, small_disks: bool) -> Self {
        let random = &mut Random::new(seed).fork(number);
        let product = match number % 8 {
            3 | 6 => Product::Sqlite,
            5 => Product::MariaDb,
            _ => Product::Postgres,
        };
        let medium = match random.between(0..10) {
            0..4 => Medium::Disk,
            4..7 => Medium::Memory,
            _ if small_disks => Medium::Small,
            _ => Medium::Disk,
        };
        let daemon_stays = random.chance(20);
        let lives = if !daemon_stays && random.chance(25) { 2 } else { 1 };
        let settings = vec![
            format!("scan_interval={}", random.pick(&["1s", "2s", "5s", "60s"])),
            format!("inline_limit={}", random.pick(&["0", "8KiB", "256KiB", "5MiB"])),
            format!("bytes_in_flight={}", random.pick(&["8MiB", "16MiB"])),
            format!("readers={}", random.between(1..4)),
            format!("quiet={}", random.pick(&["50ms", "500ms"])),
            "database_timeout=1s".to_owned(),
            "database_wait=2s".to_owned(),
            "boot_deadline=2s".to_owned(),
            "shutdown_limit=3s".to_owned(),
        ];
        let mut plan = Self {
            number,
            product,
            medium,
            with_app: random.chance(35),
            settings,
            daemon_stays,
            lives: Vec::new(),
        };
        for _ in 0..lives {
            let life = plan.draw_life(random);
            plan.lives.push(life);
        }
        plan
    }

    fn draw_life(&self, random: &mut Random) -> Life {
        let writers = (0..random.between(4..9))
            .map(|_| (random.pick(&WAYS), random.between(4..12)))
            .collect();
        let mut events = Vec::new();
        for _ in 0..random.between(2..7) {
            events.extend(self.draw_fault(random));
        }
        // A stable sort: what is drawn first comes first.
        events.sort_by_key(|(after, _)| *after);
        let quiet = match self.daemon_stays {
            true => Quiet::Drain,
            false => random.pick(&[Quiet::Drain, Quiet::Status, Quiet::CacheAll]),
        };
        let mut kinds = vec![Interruption::Kill, Interruption::KillDaemon];
        if self.product != Product::Sqlite {
            kinds.push(Interruption::Cut);
        }
        if self.medium == Medium::Small {
            kinds.push(Interruption::DiskFull);
        }
        let interruptions = (0..random.pick(&[0, 0, 1, 2, 4]))
            .map(|_| (random.between(5..400), random.pick(&kinds)))
            .collect();
        Life { writers, events, quiet, interruptions, empty_afterwards: random.chance(60) }
    }

    /// A fault and its end.
    fn draw_fault(&self, random: &mut Random) -> Vec<(u64, Event)> {
        let mut kinds = vec![vec![Event::Freeze, Event::Thaw]];
        if !self.daemon_stays {
            kinds.push(vec![Event::Kill, Event::Start]);
            kinds.push(vec![Event::Kill, Event::Start]);
            kinds.push(vec![Event::Term, Event::Start]);
        }
        if self.product != Product::Sqlite {
            let stop = random.pick(&[Stop::Fast, Stop::Immediate, Stop::Kill]);
            kinds.push(vec![Event::DatabaseDown(stop), Event::DatabaseUp]);
            kinds.push(vec![Event::NetworkDown, Event::NetworkUp]);
            kinds.push(vec![Event::Cut]);
            kinds.push(vec![Event::Silence]);
        }
        if self.medium == Medium::Small {
            kinds.push(vec![Event::DiskFull, Event::DiskFree]);
            kinds.push(vec![Event::DiskFull, Event::DiskFree]);
        }
        let mut at = random.between(0..1_800);
        let mut events = Vec::new();
        for event in kinds.swap_remove(random.index(kinds.len())) {
            events.push((at, event));
            at += random.between(10..700);
        }
        events
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, product, medium, with_app, daemon_stays, settings, .. } = self;
        let command = if *with_app { "run" } else { "watch" };
        write!(f, "round={number} database={product:?} medium={medium:?} command={command}")?;
        writeln!(f, " daemon_stays={daemon_stays} {}", settings.join(" "))?;
        for life in &self.lives {
            writeln!(f, "  writers {:?}", life.writers)?;
            writeln!(f, "  events {:?}", life.events)?;
            writeln!(f, "  then {:?}, restores {:?}", life.quiet, life.interruptions)?;
        }
        Ok(())
    }
}
