//! The waiting files, through the time that a test makes up.

use super::*;

const RULES: Rules = Rules { quiet: Duration::from_secs(2), held_open: Duration::from_secs(60) };

fn path(name: &str) -> UploadPath {
    UploadPath::parse(name).unwrap()
}

fn stat(size: u64) -> FileStat {
    FileStat { size, mtime_ns: 1, ctime_ns: 1, inode: 1, mode: 0o644 }
}

fn settle() -> (Settle, Instant) {
    (Settle::new(RULES, 3, 1), Instant::now())
}

#[test]
fn a_closed_file_is_due_at_once_and_once() {
    let (mut settle, now) = settle();
    settle.note(path("a"), Sign::Touched, now);
    assert_eq!(settle.next(now), None);
    settle.note(path("a"), Sign::Closed, now);
    let due = settle.next(now).unwrap();
    assert!(due.closed.is_some());
    assert_eq!(settle.next(now + RULES.held_open), None);
    settle.report(&path("a"), Outcome::Done, now);
    assert_eq!(settle.unsaved(), 0);
}

#[test]
fn what_is_seen_to_come_is_no_backlog_any_more() {
    let (mut settle, now) = settle();
    for name in ["a", "b", "c"] {
        settle.note(path(name), Sign::Scanned, now);
    }
    settle.note(path("b"), Sign::Closed, now);
    assert_eq!(settle.next(now).unwrap().path, path("b"));
    assert_eq!(settle.queued(), 2);
}

#[test]
fn a_file_that_was_only_linked_is_due_a_little_later() {
    let (mut settle, now) = settle();
    settle.note(path("a"), Sign::Touched, now);
    assert_eq!(settle.next_due(), Some(now + TOUCH_DELAY));
    assert!(settle.next(now + TOUCH_DELAY).is_some());
}

#[test]
fn a_passing_name_is_waited_for_unless_time_is_short() {
    let (mut settle, now) = settle();
    settle.note(path(".a.jpg.Xy12zW"), Sign::Closed, now);
    assert_eq!(settle.next_due(), Some(now + RULES.quiet));
    settle.hurry(now);
    assert!(settle.next(now).is_some());
}

#[test]
fn what_happens_during_a_capture_makes_the_file_due_again() {
    let (mut settle, now) = settle();
    settle.note(path("a"), Sign::Closed, now);
    settle.next(now).unwrap();
    let later = now + Duration::from_secs(1);
    settle.note(path("a"), Sign::Closed, later);
    settle.note(path("a"), Sign::Touched, later);
    assert_eq!(settle.next(later), None, "handed out twice");
    settle.report(&path("a"), Outcome::Done, later);
    let due = settle.next(later).unwrap();
    assert!(due.closed.is_some());
    assert_eq!(due.since, later);
}

#[test]
fn the_database_being_away_costs_no_place_in_line() {
    let (mut settle, now) = settle();
    settle.note(path("a"), Sign::Closed, now);
    settle.next(now).unwrap();
    settle.report(&path("a"), Outcome::Returned, now);
    let due = settle.next(now).unwrap();
    assert!(due.closed.is_some());
    assert_eq!(due.since, now);
}

#[test]
fn a_large_file_comes_again_when_there_is_a_place_for_it() {
    let (mut settle, now) = settle();
    for name in ["a", "b"] {
        settle.note(path(name), Sign::Closed, now);
    }
    let first = settle.next(now).unwrap().path;
    let second = settle.next(now).unwrap().path;
    assert!(settle.begin_stream(&first) && !settle.begin_stream(&second));
    settle.report(&second, Outcome::Large, now);
    assert_eq!((settle.next(now), settle.next_due(), settle.in_flight()), (None, None, 1));
    // Whatever becomes of the first, it gives its place back.
    settle.report(&first, Outcome::Returned, now);
    let due = settle.next(now).unwrap();
    assert!(settle.begin_stream(&due.path));
    settle.report(&due.path, Outcome::Done, now);
    let due = settle.next(now).unwrap();
    assert!(settle.begin_stream(&due.path), "it was handed out with its place");
    // Written anew, nobody knows how large it is: it waits with all others.
    settle.note(path("c"), Sign::Closed, now);
    settle.next(now).unwrap();
    settle.report(&path("c"), Outcome::Large, now);
    assert_eq!(settle.next(now), None);
    settle.note(path("c"), Sign::Closed, now);
    assert_eq!(settle.next(now).unwrap().path, path("c"));
}

#[test]
fn failures_wait_longer_and_longer_until_something_happens() {
    let (mut settle, now) = settle();
    settle.note(path("a"), Sign::Closed, now);
    let mut waits = Vec::new();
    for _ in 0..14 {
        settle.next(settle.next_due().unwrap()).unwrap();
        settle.report(&path("a"), Outcome::Failed, now);
        waits.push(settle.next_due().unwrap() - now);
    }
    assert!(waits.is_sorted(), "{waits:?}");
    assert_eq!(waits.last(), Some(&RETRY.1));
    settle.note(path("a"), Sign::Closed, now);
    assert!(settle.next(now).is_some());
}

#[test]
fn without_it_a_file_has_to_keep_still() {
    let (mut settle, now) = settle();
    settle.note(path("a"), Sign::Found, now);
    settle.next(now).unwrap();
    settle.report(&path("a"), Outcome::Unsettled(stat(1)), now);
    let due = settle.next(now + RULES.quiet).unwrap();
    assert!(due.is_settled(&stat(1), Writers::Unknown, &RULES));
    assert!(!due.is_settled(&stat(2), Writers::Unknown, &RULES), "it grew");
    assert!(!due.is_settled(&stat(1), Writers::Some, &RULES), "a writer pauses");
    // It looks the same every time: the clock goes on from the first such look.
    settle.report(&path("a"), Outcome::Unsettled(stat(1)), now + RULES.quiet);
    let due = settle.next(now + RULES.held_open).unwrap();
    assert!(due.is_settled(&stat(1), Writers::Some, &RULES));
}

#[test]
fn beyond_its_room_it_says_so() {
    let (mut settle, now) = settle();
    for name in ["a", "b", "c"] {
        assert!(settle.note(path(name), Sign::Found, now));
    }
    assert!(!settle.note(path("d"), Sign::Found, now));
    assert!(settle.note(path("a"), Sign::Closed, now), "a known file needs no room");
}

#[test]
fn files_that_fail_take_no_room_from_others() {
    let (mut settle, now) = settle();
    for name in ["a", "b", "c"] {
        settle.note(path(name), Sign::Found, now);
        settle.next(now).unwrap();
        settle.report(&path(name), Outcome::Failed, now);
    }
    assert!(!settle.is_full() && settle.note(path("d"), Sign::Closed, now));
    assert_eq!(settle.next(now).unwrap().path, path("d"));
    settle.report(&path("d"), Outcome::Failed, now);
    assert_eq!(settle.unsaved(), 3, "the fourth is left to a scan");
    // At the end each gets one more try.
    assert_eq!(settle.hopeful(), 0);
    settle.hurry(now);
    assert_eq!(settle.hopeful(), 3);
    for _ in 0..3 {
        let due = settle.next(now).unwrap();
        settle.report(&due.path, Outcome::Failed, now);
    }
    assert_eq!(settle.hopeful(), 0);
}

#[test]
fn hurry_makes_everything_due() {
    let (mut settle, now) = settle();
    settle.note(path("a"), Sign::Touched, now);
    settle.note(path("b"), Sign::Found, now);
    settle.next(now).unwrap();
    settle.report(&path("b"), Outcome::Unsettled(stat(1)), now);
    settle.hurry(now);
    assert!(settle.next(now).is_some() && settle.next(now).is_some());
    settle.report(&path("a"), Outcome::Done, now);
    for _ in 0..20 {
        assert_eq!(settle.hopeful(), 1);
        settle.report(&path("b"), Outcome::Unsettled(stat(1)), now);
        settle.next(now + TOUCH_DELAY).unwrap();
    }
    assert_eq!((settle.hopeful(), settle.unsaved()), (0, 1), "a writer does not let go");
}
