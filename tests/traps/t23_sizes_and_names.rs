//! What MySQL is known to fold, cut or refuse, on every database.

use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{DATABASES, noise};

fn sizes_and_names(kind: Kind) {
    let sandbox = Sandbox::new(kind);
    // At the inline limit, one beyond it, and many times TEXT's 64 KiB.
    sandbox.write("5MiB.bin", &noise(1, 5 << 20));
    sandbox.write("5MiB and one.bin", &noise(2, (5 << 20) + 1));
    sandbox.write("100KiB.bin", &noise(3, 100 << 10));
    sandbox.write("empty.bin", b"");
    // Names that a collation takes for one.
    sandbox.write("A.jpg", b"capital");
    sandbox.write("a.jpg", b"small");
    sandbox.write("caf\u{e9}.jpg", b"composed");
    sandbox.write("cafe\u{301}.jpg", b"decomposed");
    sandbox.write("cafe.jpg", b"plain");
    sandbox.write("space.jpg", b"no space");
    sandbox.write("space.jpg ", b"a space at the end");
    sandbox.write("stra\u{df}e.jpg", b"sharp s");
    sandbox.write("strasse.jpg", b"two s");
    // Beyond MySQL's key of 3,072 bytes in any charset of four bytes, and near our own limit.
    let part = "p".repeat(249);
    let long = [&part[..]; 4].join("/");
    assert_eq!(long.len(), 999);
    sandbox.write(&format!("{long}x"), b"1,000 bytes");
    let longest = format!("{}/{}", [&part[..]; 8].join("/"), "q".repeat(2_048 - 2_000));
    assert_eq!(longest.len(), 2_048);
    sandbox.write(&longest, b"2,048 bytes");

    let told = sandbox.ok(&["cache-all"]);
    let files = sandbox.files();
    assert!(told.starts_with(&format!("{} cached, 0 unchanged, 0 skipped", files.len())), "{told}");
    assert_eq!(sandbox.paths().len(), files.len(), "{kind:?} folds paths together");
    let stored = sandbox.contents();
    for (path, content) in &files {
        assert!(stored.get(path) == Some(content), "{kind:?}: {path:?} is another one now");
    }
    assert_eq!(stored.len(), files.len());
    // Each is found by its own name.
    assert_eq!(sandbox.content("a.jpg"), b"small");
    assert_eq!(sandbox.content("space.jpg "), b"a space at the end");

    // A change of one is a change of that one only.
    sandbox.write("A.jpg", b"another capital");
    let told = sandbox.ok(&["cache-all"]);
    assert!(told.starts_with(&format!("1 cached, {} unchanged", files.len() - 1)), "{told}");
    assert!(sandbox.contents() == sandbox.files(), "{kind:?}");
    sandbox.remove();
}

#[test]
fn t23_sizes_and_names_on_every_database() {
    for kind in DATABASES {
        sizes_and_names(kind);
    }
}
