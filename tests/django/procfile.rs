//! The Procfile that stands at the top of the repository runs.

use std::path::Path;
use std::process::Command;

use crate::samples::Sample;
use crate::shop::{Shop, Site, python};
use crate::support::database::Kind;
use crate::support::port::Port;
use crate::support::program::{Running, wait_until};

const PROCFILE: &str = include_str!("../../Procfile");

#[test]
fn the_procfile_s_web_line_runs() {
    let line = PROCFILE.lines().find_map(|line| line.strip_prefix("web: ")).expect("a web line");
    assert!(line.contains("gunicorn shop.wsgi"), "the shop of the tests is meant: {line}");
    let shop = Shop::new(Kind::Postgres);
    let own = Port::new();
    let port = own.number();
    let start = || {
        // A platform gives the line to a shell, with the programs in its PATH and a port to listen on.
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(shop.sandbox.beside());
        for (name, value) in shop.sandbox.command(&[]).get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let ours = Path::new(env!("CARGO_BIN_EXE_imagecached")).parent().expect("a directory");
        let python = python();
        let python = Path::new(&python).parent().expect("a directory");
        let path = std::env::var("PATH").expect("PATH");
        command.env("PATH", format!("{}:{}:{path}", ours.display(), python.display()));
        command.env("PORT", port.to_string());
        shop.settings(&mut command, &shop.sandbox.uploads);
        let running = Running::start(command);
        let site = Site::new(&format!("127.0.0.1:{port}"));
        wait_until("the shop on $PORT", || site.answers("/healthz"));
        (running, site)
    };
    let (running, site) = start();
    let uploaded = site.upload(&Sample::document("price list.txt", 2_000));
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.lines().last().is_some_and(|last| last.contains("unsaved=0")), "{log}");
    shop.sandbox.wipe();
    let (running, site) = start();
    assert_eq!(site.get(&uploaded.url), uploaded.bytes);
    running.stop();
    shop.sandbox.remove();
}
