//! From the store: what comes back is whole, and what does not come is told in time.

use std::collections::BTreeMap;

use super::{Line, MIB, SERVERS};
use crate::count_lines;
use crate::support::program::Running;
use crate::support::proxy::Fault;

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
