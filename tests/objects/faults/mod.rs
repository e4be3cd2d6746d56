//! A bad line between the program and its store: nothing is lost, and nothing is believed that is not so.

mod downloads;
mod uploads;

use std::collections::BTreeMap;

use imagecached::model::{Digest, Hasher};

use crate::noise;
use crate::place::{Place, SECRET, entries};
use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};
use crate::support::proxy::Proxy;

const MIB: usize = 1 << 20;

/// Two parts of 8 MiB, and a last one.
const LARGE: usize = 20 * MIB + 7;

/// The servers, with what their tests are told apart by.
const SERVERS: [&str; 2] = ["IMAGECACHED_TEST_S3_MOTO", "IMAGECACHED_TEST_S3_FS"];

/// A store behind a bad line.
struct Line {
    proxy: Proxy,
    place: Place,
    sandbox: Sandbox,
}

impl Line {
    fn to(server: &str) -> Self {
        let endpoint = std::env::var(server).expect("run this by tests/with-services");
        let proxy = Proxy::http(&endpoint);
        let place = Place::s3_at(proxy.endpoint(), SECRET).with("IMAGECACHED_REMOTE", "all");
        let sandbox = place.sandbox(Kind::Postgres);
        Self { proxy, place, sandbox }
    }

    /// Stores these files, with nothing in the way.
    fn filled(server: &str, files: u64, large: bool) -> Self {
        let line = Self::to(server);
        for n in 0..files {
            line.sandbox.write(&format!("{n}.jpg"), &noise(n, 30_000));
        }
        if large {
            line.sandbox.write("large.bin", &noise(1_000, LARGE));
        }
        line.sandbox.ok(&["cache-all"]);
        assert_eq!(entries(&line.sandbox, "url") as u64, files + u64::from(large));
        line
    }

    /// Nothing more is asked of the store: the program has given up, or is content.
    fn is_idle(&self, watch: &mut Running) {
        let mut scanned =
            |times| (0..times).for_each(|_| drop(watch.wait_for_log("event=scan_finished")));
        // A scan may be under way that began before the last file was safe, and the daemon's upkeep, which looks
        // for its mark when it starts, may try a few times more than an upload did.
        scanned(2);
        for _ in 0..10 {
            let before = self.proxy.faults().requests().len();
            scanned(3);
            if self.proxy.faults().requests().len() == before {
                assert!(watch.try_wait().is_none(), "it has ended");
                return;
            }
        }
        panic!("it still asks: {:#?}", self.proxy.faults().requests());
    }

    /// Every object has the bytes that its name says, and is one of these contents.
    fn holds_nothing_but(&self, shown: &str, files: &BTreeMap<String, Vec<u8>>) {
        self.proxy.faults().heal();
        let remote = self.place.open();
        let contents: Vec<_> = files.values().map(|content| Digest::of(content)).collect();
        for object in self.place.objects(&self.sandbox) {
            assert!(contents.contains(&object.content), "{shown}: {object:?}");
            let mut hasher = Hasher::default();
            let mut sink = |bytes: &[u8]| {
                hasher.update(bytes);
                Ok(())
            };
            let downloaded = remote.download(&object.url, object.size, &mut sink);
            self.sandbox.block_on(downloaded).expect("it comes");
            assert_eq!(hasher.finish(), object.content, "{shown}: {object:?}");
        }
    }

    /// A wiped directory becomes again what it was.
    fn comes_back(&self, shown: &str, files: &BTreeMap<String, Vec<u8>>) {
        self.sandbox.wipe();
        self.sandbox.ok(&["restore"]);
        assert!(self.sandbox.files() == *files, "{shown}");
    }
}
