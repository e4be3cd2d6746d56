//! What the daemon does by itself, where it is asked for.

use std::fs;

use serde_json::Value;

use crate::support::database::Kind;
use crate::support::program::{Sandbox, wait_until};
use crate::{noise, verify};

const OFTEN: &str = "verify_interval=1s";

fn status(sandbox: &Sandbox) -> Value {
    serde_json::from_str(&sandbox.ok(&["status", "--json"])).expect("JSON")
}

#[test]
fn it_finds_and_mends_by_itself() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MariaDb] {
        let sandbox = Sandbox::new(kind);
        for name in ["flipped", "lost", "deleted", "sound"] {
            sandbox.write(&format!("{name}.jpg"), &noise(name.len() as u64, 3_000));
        }
        sandbox.ok(&["cache-all"]);
        let mut daemon = sandbox.watch_with(&[OFTEN, "verify_rate=4GiB"]);
        daemon.wait_for_log("event=verify_finished");
        for name in ["lost", "deleted"] {
            fs::remove_file(sandbox.uploads.join(format!("{name}.jpg"))).unwrap();
        }
        let data = "UPDATE image_cache SET image_data = 'AAAA' WHERE original_path =";
        sandbox.sql(&format!("{data} 'flipped.jpg'"));
        sandbox.sql(&format!("{data} 'lost.jpg'"));
        // In either order: a round may have begun between the two.
        wait_until("the damage is met", || {
            let found = status(&sandbox)["daemon"]["verify"].clone();
            (&found["mended"], &found["not_mended"]) == (&1.into(), &1.into())
        });
        // Nobody can put it back but who has it; then it is well again.
        sandbox.write("lost.jpg", &noise(4, 3_000));
        wait_until("nothing is wrong any more", || {
            let found = status(&sandbox)["daemon"]["verify"].clone();
            found["not_mended"] == 0 && found["last_round"].is_string()
        });
        let text = sandbox.ok(&["status"]);
        assert!(text.contains("it has verified") && text.contains("all well"), "{text}");
        let (_, log) = daemon.stop();
        let lines = |event: &str, path: &str| {
            let (event, path) = (format!("event={event} "), format!("path={path} "));
            log.lines().filter(|it| it.contains(&event) && it.contains(&path)).count()
        };
        assert_eq!(lines("verify_mended", "flipped.jpg"), 1, "{kind:?}: {log}");
        assert!(lines("verify_found", "lost.jpg") >= 1, "{kind:?}: {log}");
        assert!(!log.contains("path=sound.jpg "), "{kind:?}: {log}");
        // What the app has deleted does not come back beside it, and stays in the database.
        assert!(!sandbox.uploads.join("deleted.jpg").exists(), "{kind:?}");
        assert_eq!(sandbox.content("deleted.jpg"), noise(7, 3_000), "{kind:?}");
        assert_eq!(verify(&sandbox, &[], 0)["restored"], 1, "{kind:?}");
        sandbox.remove();
    }
}

/// Nobody who has not asked for it has the work of it.
#[test]
fn it_is_off_unless_it_is_asked_for() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    sandbox.write("a.jpg", &noise(1, 3_000));
    let daemon = sandbox.watch();
    sandbox.wait_for_entries(1);
    wait_until("the daemon says how it is", || !status(&sandbox)["daemon"].is_null());
    assert!(status(&sandbox)["daemon"]["verify"].is_null());
    let (_, log) = daemon.stop();
    assert!(!log.contains("event=verify_"), "{log}");
    sandbox.remove();
}
