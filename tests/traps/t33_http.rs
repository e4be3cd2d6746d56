//! HTTP without a key: each clause of the trap by itself. `tests/http` goes through all calls.

use std::net::Ipv4Addr;

use crate::server::{CHANGES, PREFIX, Server, bearer};
use crate::support::database::Kind;
use crate::support::program::Sandbox;

#[test]
fn t33_nothing_listens_unless_asked_and_then_on_loopback() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let mut watch = sandbox.watch();
    watch.wait_for_log("event=scan_finished");
    assert!(!watch.log().contains("event=listening"));
    watch.stop();
    // A port alone is loopback's.
    let server = Server::start("watch", "0", &[]);
    assert_eq!(server.address.ip(), Ipv4Addr::LOCALHOST);
    server.end();
    // Others may ask only where there is a token that tells them from strangers.
    let output = sandbox.output(&["serve", "--listen", "0.0.0.0:0"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("there is no token"), "{told}");
    sandbox.remove();
}

#[test]
fn t33_every_change_needs_the_token_and_no_other_site_can_make_one() {
    let server = Server::watch(&[]);
    server.sandbox.write("a.jpg", b"a");
    server.sandbox.wait_for_entries(1);
    let session = server.log_in();
    for call in CHANGES {
        assert_eq!(server.change(call, &[]), 401, "{call}");
        // As long as the right one, longer and shorter: none is nearer to it than another.
        for wrong in ["correct-horse-batterY", "correct-horse-battery0", "correct-horse-batter", ""]
        {
            let wrong = format!("Authorization: Bearer {wrong}");
            let status = server.change(call, &[&wrong]);
            // After some guesses nobody is let in for a while.
            assert!([401, 429].contains(&status), "{call}: {status}");
        }
        // What another site's form would bring.
        assert_eq!(server.change(call, &[&session]), 403, "{call}");
        let origin = "Origin: http://evil.example";
        let status = server.change(call, &[&session, origin, "Sec-Fetch-Site: cross-site"]);
        assert_eq!(status, 403, "{call}");
    }
    assert_eq!(server.sandbox.paths(), ["a.jpg"]);
    server.end();
}

#[test]
fn t33_an_uploaded_page_or_drawing_never_runs() {
    let server = Server::watch(&[]);
    let script = "<script>alert(1)</script>";
    let files = [
        ("page.html", format!("<!doctype html><html><body>{script}</body></html>")),
        ("drawing.svg", format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{script}</svg>")),
        ("feed.xml", format!("<?xml version=\"1.0\"?><x>{script}</x>")),
        ("page.xhtml", format!("<html xmlns=\"http://www.w3.org/1999/xhtml\">{script}</html>")),
        ("page.jpg", format!("<!doctype html><html><body>{script}</body></html>")),
    ];
    for (name, content) in &files {
        server.sandbox.write(name, content.as_bytes());
    }
    server.sandbox.wait_for_entries(files.len());
    for id in 1..=files.len() {
        let answer = server.get(&format!("{PREFIX}/entries/{id}/content"), &[&bearer()]);
        assert_eq!(answer.status, 200, "{}", answer.head);
        let head = answer.head.to_lowercase();
        for line in [
            "content-security-policy: sandbox;",
            "content-disposition: attachment",
            "x-content-type-options: nosniff",
        ] {
            assert!(head.contains(line), "{id} {line}: {head}");
        }
    }
    server.end();
}
