//! To the store: what does not arrive whole goes to the database.

use super::{LARGE, Line, MIB, SERVERS};
use crate::place::entries;
use crate::support::proxy::Fault;
use crate::{count_lines, noise};

/// Scans come so often that a file that is not safe, and a program that is not idle, show themselves.
const SETTINGS: [&str; 2] = ["scan_interval=1s", "remote=all"];

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
    ]);
}

/// Not s3s-fs: where the end takes it long it begins its answer before, and with a connection that is cut there it
/// gives up half-way, the parts being gone and the object not yet there. The file goes to the database then.
#[test]
fn uploads_of_which_the_last_answer_is_lost_are_found_in_the_store() {
    let moments = [
        moment("the end, of which the answer is lost", 2, "POST uploadId=", &[Fault::CutDown(0)]),
        moment(
            "the end, of which no answer ever comes",
            2,
            "POST uploadId=",
            &ever(Fault::CutDown(30)),
        ),
    ];
    moments.iter().for_each(|moment| uploads_over(SERVERS[0], moment));
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
