//! A bad line between the program and its store: nothing is lost, and nothing is believed that is not so.

use std::collections::BTreeMap;

use imagecached::model::{Digest, Hasher};

use crate::place::{Place, SECRET, entries};
use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};
use crate::support::proxy::{Fault, Proxy};
use crate::{count_lines, noise};

const MIB: usize = 1 << 20;

/// Two parts of 8 MiB, and a last one.
const LARGE: usize = 20 * MIB + 7;

/// The servers, with what their tests are told apart by.
const SERVERS: [&str; 2] = ["IMAGECACHED_TEST_S3_MOTO", "IMAGECACHED_TEST_S3_FS"];

/// Scans come so often that a file that is not safe, and a program that is not idle, show themselves.
const SETTINGS: [&str; 2] = ["scan_interval=1s", "remote=all"];

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
        let scanned = |watch: &mut Running| watch.wait_for_log("event=scan_finished");
        // A scan may be under way that began before the last file was safe.
        scanned(watch);
        scanned(watch);
        let before = self.proxy.faults().requests();
        scanned(watch);
        scanned(watch);
        let asked = &self.proxy.faults().requests()[before.len()..];
        assert!(asked.is_empty(), "it still asks: {asked:#?}");
        assert!(watch.try_wait().is_none(), "it has ended");
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

/// A bad moment of an upload, and how many of two files, a small and a large one, go to the store in spite of
/// it.
struct Moment {
    shown: &'static str,
    faults: Vec<(&'static str, Vec<Fault>)>,
    in_store: usize,
}

fn moment(shown: &'static str, in_store: usize, words: &'static str, faults: &[Fault]) -> Moment {
    Moment { shown, faults: vec![(words, faults.to_vec())], in_store }
}

/// As long as anybody asks.
fn ever(fault: Fault) -> Vec<Fault> {
    vec![fault; 1_000]
}

fn uploads_over(server: &str, moment: &Moment) {
    let shown = &format!("{server}: {}", moment.shown);
    let line = Line::to(server);
    for (words, faults) in &moment.faults {
        line.proxy.faults().plan(words, faults);
    }
    let mut watch = line.sandbox.watch_with(&SETTINGS);
    line.sandbox.write("small.jpg", &noise(1, 30_000));
    line.sandbox.wait_for_entries(1);
    // The other one meets the store, and not its rest.
    line.sandbox.write("large.bin", &noise(2, LARGE));
    line.sandbox.wait_for_entries(2);
    line.is_idle(&mut watch);
    let (status, log) = watch.stop();
    assert!(status.success(), "{shown}: {log}");
    assert!(
        !log.contains("event=failed") && !log.contains("event=capture_failed"),
        "{shown}: {log}"
    );
    let places = (entries(&line.sandbox, "url"), entries(&line.sandbox, "chunks"));
    assert_eq!(places, (moment.in_store, 2 - moment.in_store), "{shown}: {log}");
    let requests = line.proxy.faults().requests().len();
    println!("{shown}: {places:?} in store and chunks, {requests} requests");
    assert!(requests < 60, "{shown}: {:#?}", line.proxy.faults().requests());
    let files = line.sandbox.files();
    line.holds_nothing_but(shown, &files);
    line.comes_back(shown, &files);
    line.sandbox.remove();
}

fn uploads_over_all(moments: &[Moment]) {
    // Most of it is waiting.
    std::thread::scope(|scope| {
        for server in SERVERS {
            scope.spawn(move || moments.iter().for_each(|moment| uploads_over(server, moment)));
        }
    });
}

#[test]
fn uploads_that_are_cut_in_a_part_are_sent_again() {
    uploads_over_all(&[
        moment(
            "first part",
            2,
            "PUT partNumber=1&",
            &[Fault::CutUp(0), Fault::CutUp(1), Fault::CutUp(65_537)],
        ),
        moment(
            "second part",
            2,
            "PUT partNumber=2&",
            &[Fault::CutUp(5 * MIB), Fault::CutUp(8 * MIB - 1)],
        ),
        moment(
            "last part",
            2,
            "PUT partNumber=3&",
            &[Fault::CutUp(4 * MIB), Fault::CutDown(0), Fault::CutDown(20)],
        ),
        moment(
            "all parts",
            2,
            "PUT partNumber",
            &[Fault::CutUp(3 * MIB), Fault::CutUp(MIB), Fault::Reset],
        ),
    ]);
}

#[test]
fn uploads_that_are_cut_between_their_parts_are_taken_up() {
    uploads_over_all(&[
        moment("the beginning", 2, "POST uploads", &[Fault::CutDown(0), Fault::Reset]),
        moment(
            "the end, before the store knows",
            2,
            "POST uploadId=",
            &[Fault::CutUp(10), Fault::Reset],
        ),
        moment("the end, of which the answer is lost", 2, "POST uploadId=", &[Fault::CutDown(0)]),
        moment(
            "the end, of which no answer ever comes",
            2,
            "POST uploadId=",
            &ever(Fault::CutDown(30)),
        ),
    ]);
}

#[test]
fn small_uploads_that_are_cut_are_sent_again() {
    uploads_over_all(&[
        moment("the content", 2, "PUT", &[Fault::CutUp(100), Fault::CutUp(29_999)]),
        moment("the answer", 2, "PUT", &[Fault::CutDown(0), Fault::CutDown(10)]),
        moment("the questions", 2, "HEAD", &[Fault::CutDown(0), Fault::Reset, Fault::CutDown(50)]),
    ]);
}

#[test]
fn uploads_to_a_store_that_is_out_of_order_go_to_the_database() {
    let unwell = |status| Fault::status(status, "", "<Error><Code>X</Code></Error>");
    uploads_over_all(&[
        moment("500 for a while", 2, "", &[unwell(500), unwell(503), unwell(502)]),
        moment(
            "500 for a while, in parts",
            2,
            "partNumber",
            &[unwell(500), unwell(503), unwell(500)],
        ),
        moment("503 for ever", 0, "", &ever(unwell(503))),
        moment("500 to contents for ever", 0, "PUT", &ever(unwell(500))),
        moment("500 at the end for ever", 1, "POST uploadId=", &ever(unwell(500))),
        moment("asked to wait", 2, "PUT", &[Fault::status(503, "Retry-After: 1\r\n", "")]),
        moment(
            "asked to wait for hours",
            0,
            "PUT",
            &ever(Fault::status(429, "Retry-After: 9999\r\n", "")),
        ),
    ]);
}

#[test]
fn uploads_over_a_line_that_never_gets_better_go_to_the_database() {
    uploads_over_all(&[
        moment("reset", 0, "", &ever(Fault::Reset)),
        moment("cut contents", 0, "PUT", &ever(Fault::CutUp(MIB / 100))),
        moment("one part", 1, "partNumber=2&", &ever(Fault::CutUp(MIB))),
        moment("one part and the clearing up", 1, "uploadId=", &ever(Fault::CutUp(0))),
    ]);
}

#[test]
fn uploads_that_stall_go_to_the_database() {
    // All at once: each takes half a minute.
    std::thread::scope(|scope| {
        for server in SERVERS {
            for moment in [
                moment("a question", 0, "HEAD", &ever(Fault::StallDown(0))),
                moment("a small content", 0, "PUT", &ever(Fault::StallUp(100))),
                moment("a part", 1, "partNumber=2&", &ever(Fault::StallUp(MIB))),
                moment("the answer to a part", 1, "partNumber=3&", &ever(Fault::StallDown(10))),
            ] {
                scope.spawn(move || uploads_over(server, &moment));
            }
        }
    });
}

#[test]
fn uploads_over_a_slow_line_arrive() {
    for server in SERVERS {
        let line = Line::to(server);
        line.proxy.slow_up(8 << 20);
        line.proxy.slow_down(20_000);
        let mut watch = line.sandbox.watch_with(&SETTINGS);
        line.sandbox.write("large.bin", &noise(2, LARGE));
        line.sandbox.wait_for_entries(1);
        line.is_idle(&mut watch);
        watch.stop();
        assert_eq!(entries(&line.sandbox, "url"), 1);
        let files = line.sandbox.files();
        line.proxy.slow_down(u64::MAX);
        line.holds_nothing_but(server, &files);
        line.comes_back(server, &files);
        line.sandbox.remove();
    }
}

#[test]
fn uploads_to_a_store_that_goes_and_comes_are_safe_all_the_time() {
    for server in SERVERS {
        let mut line = Line::to(server);
        let mut watch = line.sandbox.watch_with(&SETTINGS);
        line.sandbox.write("before.bin", &noise(1, LARGE));
        line.sandbox.wait_for_entries(1);
        line.proxy.go_away();
        for n in 0..30 {
            line.sandbox.write(&format!("{n}.jpg"), &noise(10 + n, 5_000));
        }
        line.sandbox.write("while.bin", &noise(2, LARGE));
        line.sandbox.wait_for_entries(32);
        line.proxy.come_back();
        line.is_idle(&mut watch);
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        assert_eq!((entries(&line.sandbox, "url"), entries(&line.sandbox, "chunks")), (1, 31));
        let files = line.sandbox.files();
        line.holds_nothing_but(server, &files);
        line.comes_back(server, &files);
        line.sandbox.remove();
    }
}

/// The time to end is short, and a store may use up all of it: files go to the database before that.
#[test]
fn uploads_that_stall_when_the_program_ends_are_safe_in_time() {
    for server in SERVERS {
        let line = Line::to(server);
        line.proxy.faults().always("PUT", &Fault::StallUp(10));
        let mut settings = SETTINGS.to_vec();
        settings.push("shutdown_limit=9s");
        let watch = line.sandbox.watch_with(&settings);
        line.sandbox.write("small.jpg", &noise(1, 30_000));
        line.sandbox.write("large.bin", &noise(2, LARGE));
        let stalled =
            || line.proxy.faults().requests().iter().filter(|r| r.contains("PUT")).count();
        crate::support::program::wait_until("a stalled upload", || stalled() > 1);
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        assert_eq!(count_lines(&log, &["event=drained", "unsaved=0"]), 1, "{log}");
        assert_eq!(entries(&line.sandbox, "chunks"), 2, "{log}");
        let files = line.sandbox.files();
        line.holds_nothing_but(server, &files);
        line.comes_back(server, &files);
        line.sandbox.remove();
    }
}

/// Restores over a line with these faults, at one go.
fn restores_over(line: &Line, shown: &str, words: &str, faults: &[Fault]) {
    let files = line.sandbox.files();
    line.proxy.faults().plan(words, faults);
    line.comes_back(shown, &files);
    line.proxy.faults().heal();
}

#[test]
fn downloads_that_are_cut_or_refused_for_a_while_come_back_whole() {
    let unwell = Fault::status(503, "", "<Error><Code>SlowDown</Code></Error>");
    for server in SERVERS {
        let line = Line::filled(server, 20, true);
        for (shown, faults) in [
            ("cut heads", vec![Fault::CutDown(0), Fault::CutDown(1), Fault::CutDown(100)]),
            (
                "cut contents",
                vec![Fault::CutDown(500), Fault::CutDown(20_000), Fault::CutDown(5_000)],
            ),
            ("resets", vec![Fault::Reset; 9]),
            ("503", vec![unwell.clone(); 9]),
            (
                "all of it",
                vec![unwell.clone(), Fault::Reset, Fault::CutDown(9_000), Fault::CutUp(0)],
            ),
        ] {
            restores_over(&line, &format!("{server}: {shown}"), "GET", &faults);
        }
        let before = line.proxy.faults().requests().len();
        let cuts = [MIB, 3 * MIB, 5 * MIB, 10 * MIB, MIB].map(Fault::CutDown);
        line.sandbox.sql("DELETE FROM image_cache WHERE original_path <> 'large.bin'");
        for n in 0..20 {
            std::fs::remove_file(line.sandbox.uploads.join(format!("{n}.jpg")))
                .expect("it is there");
        }
        restores_over(&line, &format!("{server}: a large one"), "GET", &cuts);
        let asked = line.proxy.faults().requests().len() - before;
        assert!(
            asked <= cuts.len() + 1,
            "{asked} requests for one object in {} pieces",
            cuts.len() + 1
        );
        line.sandbox.remove();
    }
}

#[test]
fn downloads_over_a_slow_line_come_back_whole() {
    for server in SERVERS {
        let line = Line::filled(server, 3, true);
        line.proxy.slow_down(6 << 20);
        restores_over(&line, server, "none", &[]);
        line.sandbox.remove();
    }
}

#[test]
fn downloads_that_stall_are_taken_up_again() {
    std::thread::scope(|scope| {
        for server in SERVERS {
            scope.spawn(move || {
                let line = Line::filled(server, 3, true);
                let faults = [Fault::StallDown(0), Fault::StallDown(20_000), Fault::StallDown(MIB)];
                restores_over(&line, server, "GET", &faults);
                line.sandbox.remove();
            });
        }
    });
}

/// What `restore` tells of a store that gives nothing: in bounded time, what is left and why.
fn gives_up(line: &Line, shown: &str, words: &str, fault: &Fault) {
    let files = line.sandbox.files();
    line.proxy.faults().always(words, fault);
    line.sandbox.wipe();
    let before = line.proxy.faults().requests().len();
    let began = std::time::Instant::now();
    let output = line.sandbox.output(&["restore"]);
    let took = began.elapsed();
    let asked = line.proxy.faults().requests().len() - before;
    let (told, log) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{shown}: {took:?}, {asked} requests: {told}");
    assert_eq!(output.status.code(), Some(5), "{shown}: {log}");
    assert!(
        told.contains(&format!(
            "0 restored (0 B), 0 present, 0 damaged, 0 refused, 0 without data, {} left",
            files.len()
        )),
        "{shown}: {told}"
    );
    assert_eq!(count_lines(&log, &["event=restore_stopped"]), 1, "{shown}: {log}");
    assert!(line.sandbox.files().is_empty(), "{shown}");
    assert!(asked <= 64, "{shown}: asked {asked} times");
    line.comes_back_after(shown, &files);
}

impl Line {
    fn comes_back_after(&self, shown: &str, files: &BTreeMap<String, Vec<u8>>) {
        self.proxy.faults().heal();
        self.comes_back(shown, files);
    }
}

#[test]
fn a_restore_from_a_store_that_gives_nothing_ends_and_tells() {
    for server in SERVERS {
        let line = Line::filled(server, 100, true);
        gives_up(&line, "reset", "", &Fault::Reset);
        gives_up(&line, "500", "", &Fault::status(500, "", ""));
        gives_up(&line, "cut", "GET", &Fault::CutDown(5_000));
        line.sandbox.remove();
    }
}

#[test]
fn a_restore_from_a_silent_store_ends_and_tells() {
    std::thread::scope(|scope| {
        for server in SERVERS {
            for (shown, fault) in
                [("no answer", Fault::StallDown(0)), ("no content", Fault::StallDown(5_000))]
            {
                scope.spawn(move || {
                    let line = Line::filled(server, 100, true);
                    gives_up(&line, shown, "GET", &fault);
                    line.sandbox.remove();
                });
            }
        }
    });
}

/// Objects that never come cannot use up the patience that the others need.
#[test]
fn objects_that_do_not_come_hold_up_no_others() {
    let line = Line::filled(SERVERS[1], 60, false);
    let files = line.sandbox.files();
    // More than a restore asks for in vain; newest first, so that they come first.
    let list: serde_json::Value =
        serde_json::from_str(&line.sandbox.ok(&["list", "--json"])).expect("JSON");
    let dead = |n: usize| files.contains_key(&format!("{n}.jpg")) && n >= 48;
    for entry in list.as_array().expect("a list") {
        let path = entry["original_path"].as_str().expect("a path");
        let number: usize = path.trim_end_matches(".jpg").parse().expect("a number");
        if dead(number) {
            let url = entry["image_url"].as_str().expect("a URL");
            let key = url.rsplit('/').next().expect("a key");
            line.proxy.faults().always(&format!("GET {key}"), &Fault::Reset);
            line.sandbox.sql(&format!(
                "UPDATE image_cache SET updated_at = updated_at + interval '1 hour' WHERE original_path = '{path}'"
            ));
        }
    }
    line.sandbox.wipe();
    let mut run = Running::start(line.sandbox.run(&["boot_deadline=3s"], "exec sleep 600"));
    let first = run.wait_for_log("event=restore_finished");
    assert!(first.contains("restored=0 ") && first.contains("left=60"), "{first}");
    // Those that were not asked for come with the next try.
    crate::support::program::wait_until("the others", || line.sandbox.files().len() == 48);
    let (_, log) = run.stop();
    assert_eq!(count_lines(&log, &["event=captured"]), 0, "{log}");
    line.comes_back_after("the dead ones too", &files);
    line.sandbox.remove();
}
