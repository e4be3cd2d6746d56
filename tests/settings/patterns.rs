//! Which files are uploads.

use imagecached::model::UploadPath;

use crate::Place;

#[test]
fn lists_are_separated_by_commas_or_lines_and_their_flag_may_come_again() {
    let takes = |place: Place, path: &str| {
        place.load().settings.patterns.takes(&UploadPath::parse(path).unwrap())
    };
    let given = || Place::new().env("IMAGECACHED_EXCLUDE", "*.one, *.two\n*.three,,");
    for path in ["a.one", "a.two", "a.three"] {
        assert!(!takes(given(), path), "{path}");
    }
    assert!(takes(given(), "a.tmp"), "a given list takes the place of the default");
    let flags = || Place::new().flag("exclude", "*.one").flag("exclude", "*.two");
    assert!(!takes(flags(), "a.one") && !takes(flags(), "a.two"));
    assert!(takes(Place::new().env("IMAGECACHED_INCLUDE", "public.pem"), "public.pem"));
    assert!(takes(Place::new().env("IMAGECACHED_EXCLUDE", ","), "a.tmp"));
    assert!(
        !takes(Place::new().env("IMAGECACHED_EXCLUDE", ""), "a.tmp"),
        "empty counts as not set"
    );
}

#[test]
fn t18_unfinished_files_and_secrets_are_excluded_and_real_uploads_never() {
    let patterns = Place::new().load().settings.patterns;
    let takes = |path: &str| patterns.takes(&UploadPath::parse(path).unwrap());
    for path in [
        ".env",
        "shop/.env.production",
        "cert.pem",
        "db.sqlite3",
        "db.sqlite3-wal",
        "x.db-journal",
        "a/b.tmp",
        "film.mp4.part",
        "photo.jpg.crdownload",
        ".notes.txt.swp",
        "notes.txt~",
        ".#notes.txt",
        ".~lock.price list.odt#",
        "~$offer.docx",
        "a/.DS_Store",
        "Thumbs.db",
        ".nfs000000000001",
        "lost+found/1",
        ".ssh/id_rsa",
        ".git/config",
        ".imagecached-probe",
    ] {
        assert!(!takes(path), "{path} is taken");
    }
    for path in [
        "photo.jpg",
        "products/2025/03/photo_a1B2c3d.jpg",
        "talk.key",
        "prices.db",
        "old.bak",
        "macro.swp",
        "environment.jpg",
        "my.env",
        "backup~1.jpg",
        "~photo.jpg",
        "part.jpg",
        "temp.tmp.pdf",
        "report.sqlite3.pdf",
        "my.sqlite-notes.pdf",
        "a/lost+found/x.jpg",
        "CACHE/images/x.webp",
        ".well-known/file",
        "نقشه.jpg",
        "#1.jpg",
        "shape.prt",
        "noname",
        "dump.sql",
        "invoice.pem.pdf",
        "_rsa.png",
        "key.txt",
        "thumbs/db.jpg",
        ".hidden.png",
    ] {
        assert!(takes(path), "{path} is excluded");
    }
}
