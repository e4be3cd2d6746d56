//! The kernel's limits, lowered for a process of its own: in a user namespace, whose limits can be
//! set without harm to anybody else on the machine.

use std::fs;
use std::sync::mpsc::channel;
use std::time::Duration;

use imagecached::uploads::{Cause, Event, Watch, WatchError};

use crate::in_memory;
use crate::namespace::with_limit;

#[test]
fn t26_no_inotify_instance_left() {
    with_limit("max_inotify_instances", 1, "limits::second_instance");
}

#[test]
#[ignore = "run by t26_no_inotify_instance_left"]
fn second_instance() {
    let dir = in_memory();
    let first = Watch::start(dir.path(), |_| {}).unwrap();
    assert_eq!(Watch::start(dir.path(), |_| {}).unwrap_err(), WatchError::Instances);
    first.barrier().unwrap();
}

#[test]
fn t26_no_inotify_watch_left() {
    with_limit("max_inotify_watches", 5, "limits::sixth_directory");
}

#[test]
#[ignore = "run by t26_no_inotify_watch_left"]
fn sixth_directory() {
    let dir = in_memory();
    let (sink, events) = channel();
    let mut watch = Watch::start(dir.path(), move |event| drop(sink.send(event))).unwrap();
    // While running: told once, however many directories there are.
    for number in 0..20 {
        fs::create_dir(dir.path().join(number.to_string())).unwrap();
    }
    let full = Event::Rescan(Cause::Watcher(WatchError::Watches));
    while events.recv_timeout(Duration::from_secs(60)).unwrap() != full {}
    watch.barrier().unwrap();
    assert!(!events.try_iter().any(|event| event == full));
    // Rebuilding and starting say so.
    assert_eq!(watch.rebuild(), Err(WatchError::Watches));
    assert_eq!(Watch::start(dir.path(), |_| {}).unwrap_err(), WatchError::Watches);
    // Fewer directories: it can be rebuilt.
    for number in 0..18 {
        fs::remove_dir(dir.path().join(number.to_string())).unwrap();
    }
    watch.rebuild().unwrap();
}

#[test]
fn a_missing_root_is_told() {
    let dir = in_memory();
    assert_eq!(Watch::start(&dir.path().join("none"), |_| {}).unwrap_err(), WatchError::Gone);
}
