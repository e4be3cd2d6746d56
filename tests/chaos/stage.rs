//! The stage of a round: disk, database, network and daemon, on which the faults are made.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use imagecached::store::Target;

use crate::daemon::{Daemon, Program};
use crate::disk::Disk;
use crate::model::Model;
use crate::plan::{Event, Interruption, Medium, Plan, Product, Quiet};
use crate::report::Figures;
use crate::servers::Server;
use crate::support::program::Running;
use crate::support::proxy::Proxy;
use crate::writers::Scene;

/// How long it may take until everything is safe, once the faults are over.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Stage<'s> {
    pub scene: Arc<Scene>,
    /// The database, not through the proxy.
    pub target: Target,
    pub program: Program,
    with_app: bool,
    daemon: Daemon,
    server: Option<&'s mut Server>,
    network: Option<Network>,
    disk: Disk,
}

struct Network {
    proxy: Proxy,
    up: bool,
}

impl<'s> Stage<'s> {
    /// Sets everything up beneath a directory; nothing runs yet but the server.
    pub fn new(plan: &Plan, file: &Path, directory: &Path, server: Option<&'s mut Server>) -> Self {
        let disk = Disk::new(plan.medium, directory);
        let make = |place: &Path, name: &str| {
            let path = place.join(name);
            std::fs::create_dir(&path).expect("room for a directory");
            path
        };
        let (uploads, near) = (make(disk.path(), "media"), make(disk.path(), "near"));
        let (far, logs) = (make(directory, "far"), make(directory, "logs"));
        let (url, target, network) = match &server {
            Some(server) => {
                let url = server.make_database(&format!("chaos_{}", plan.number));
                let proxy = Proxy::new(&url);
                let target = match plan.product {
                    Product::MariaDb => Target::MySql(url),
                    _ => Target::Postgres(url),
                };
                (proxy.url().to_owned(), target, Some(Network { proxy, up: true }))
            }
            None => {
                // A small disk gets full for the database as well.
                let place = if plan.medium == Medium::Small { disk.path() } else { directory };
                let file = place.join("cache.sqlite3");
                (format!("sqlite://{}", file.display()), Target::Sqlite(file), None)
            }
        };
        let scene = Scene {
            uploads: uploads.clone(),
            near,
            far,
            model: Model::default(),
            daemon_stays: plan.daemon_stays,
        };
        let program = Program {
            file: file.to_owned(),
            uploads,
            url,
            directory: logs,
            settings: plan.settings.clone(),
        };
        Self {
            scene: Arc::new(scene),
            target,
            program,
            with_app: plan.with_app,
            daemon: Daemon::default(),
            server,
            network,
            disk,
        }
    }

    pub fn start(&mut self) {
        self.daemon.start(&self.program, self.with_app);
    }

    /// Makes something happen.
    pub fn act(&mut self, event: Event) {
        match event {
            Event::Start => self.start(),
            Event::Term => self.daemon.term(),
            Event::Kill => drop(self.daemon.kill(&self.program)),
            Event::Freeze => self.daemon.freeze(),
            Event::Thaw => self.daemon.thaw(),
            Event::DatabaseDown(how) => {
                self.server.as_mut().into_iter().for_each(|it| it.stop(how))
            }
            Event::DatabaseUp => self.server.as_mut().into_iter().for_each(|it| it.start()),
            Event::NetworkDown => self.network.as_mut().into_iter().for_each(Network::go_away),
            Event::NetworkUp => self.network.as_mut().into_iter().for_each(Network::come_back),
            Event::Cut => self.network.as_ref().into_iter().for_each(|it| it.proxy.cut()),
            Event::Silence => {
                self.network.as_ref().into_iter().for_each(|it| it.proxy.fall_silent())
            }
            Event::DiskFull => self.disk.fill(),
            Event::DiskFree => self.disk.free(),
        }
    }

    /// Lets writers go on that wait for room, or for the daemon.
    pub fn let_writers_end(&mut self) {
        self.act(Event::DiskFree);
        self.act(Event::Thaw);
    }

    /// Ends all faults.
    pub fn heal(&mut self) {
        self.let_writers_end();
        self.act(Event::DatabaseUp);
        self.act(Event::NetworkUp);
        self.start();
    }

    /// Waits until everything is safe, in the way of the plan; the daemon has ended after that.
    ///
    /// # Errors
    /// When it takes longer than anybody would wait.
    pub fn quiet(&mut self, way: Quiet) -> Result<Duration, String> {
        let began = Instant::now();
        if way == Quiet::CacheAll {
            self.daemon.kill(&self.program);
        }
        let mut tries = 0;
        loop {
            if let Some(why) = self.daemon.ended_by_itself() {
                return Err(why);
            }
            let safe = match way {
                Quiet::Drain => {
                    self.start();
                    // A drain has its limit. Where that was not enough, the next one begins later.
                    thread::sleep(Duration::from_millis(200) * tries);
                    self.daemon.term();
                    self.daemon.wait(&self.program)
                }
                Quiet::Status => self.program.unsaved() == Some(0),
                Quiet::CacheAll => self.program.output(&["cache-all"]).status.success(),
            };
            if safe {
                self.daemon.kill(&self.program);
                return Ok(began.elapsed());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("{way:?}: not everything is safe after {PATIENCE:?}"));
            }
            tries += 1;
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Throws the files away, as a deploy does.
    pub fn wipe(&self) {
        for directory in [&self.scene.uploads, &self.scene.near] {
            std::fs::remove_dir_all(directory).expect("it goes");
            std::fs::create_dir(directory).expect("a directory");
        }
    }

    /// A restore that does not come to its end.
    pub fn interrupted_restore(&mut self, after: Duration, how: Interruption) {
        match how {
            Interruption::KillDaemon => {
                // `watch` alone restores nothing.
                self.daemon.start(&self.program, true);
                thread::sleep(after);
                self.daemon.kill(&self.program);
            }
            Interruption::Kill | Interruption::Cut | Interruption::DiskFull => {
                if how == Interruption::DiskFull {
                    self.act(Event::DiskFull);
                }
                let restore = Running::start(self.program.command(&["restore"]));
                thread::sleep(after);
                match how {
                    Interruption::Kill => restore.signal_group(9),
                    Interruption::Cut => self.act(Event::Cut),
                    _ => {}
                }
                let (_, log) = restore.wait();
                self.program.keep_log(&log, "restore");
                self.act(Event::DiskFree);
            }
        }
    }

    /// A restore to the end.
    ///
    /// # Errors
    /// What it says when it fails.
    pub fn restore(&self) -> Result<(), String> {
        let output = self.program.output(&["restore"]);
        if output.status.success() {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&output.stderr);
        Err(format!("the restore ended with {}:\n{log}", output.status))
    }

    /// Counts the events and makes them happen, each at its time.
    pub fn play(&mut self, events: &[(u64, Event)], figures: &mut Figures) -> Result<(), String> {
        let began = Instant::now();
        for &(after, event) in events {
            thread::sleep(Duration::from_millis(after).saturating_sub(began.elapsed()));
            if let Some(why) = self.daemon.ended_by_itself() {
                return Err(why);
            }
            self.act(event);
            figures.count(event);
        }
        Ok(())
    }

    /// Leaves everything where it is, for whoever looks for a cause.
    pub fn keep(mut self) {
        self.daemon.kill(&self.program);
        self.disk.keep();
    }
}

impl Network {
    fn go_away(&mut self) {
        if self.up {
            self.proxy.go_away();
            self.up = false;
        }
    }

    fn come_back(&mut self) {
        if !self.up {
            self.proxy.come_back();
            self.up = true;
        }
    }
}
