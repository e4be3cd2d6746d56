//! What a client may take, and that others do not suffer from one that takes more. Each test is named for
//! what it refuses.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::server::{PREFIX, Server, bearer, read};

const LOGIN: &str = "/partners/image-cache/admin/login";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

#[test]
fn a_body_that_is_too_large_declared_or_in_chunks() {
    let server = Server::watch(&[]);
    let declared = format!(
        "POST {LOGIN} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{FORM}Content-Length: 99999999\r\n\r\n"
    );
    let answer = server.raw(declared.as_bytes());
    assert_eq!(answer.status, 413, "{}", answer.head);
    let mut chunked = format!(
        "POST {LOGIN} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for _ in 0..300 {
        chunked.extend(b"400\r\n");
        chunked.extend([b'a'; 1024]);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let answer = server.raw(&chunked);
    assert_eq!(answer.status, 413, "{}", answer.head);
    server.end();
}

#[test]
fn a_head_that_is_too_large() {
    let server = Server::watch(&[]);
    let long = "a".repeat(40_000);
    for request in [
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /healthz?{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(200)),
    ] {
        let status = server.raw(request.as_bytes()).status;
        assert!([0, 400, 414, 431].contains(&status), "{status}");
    }
    assert_eq!(server.get("/healthz", &[]).status, 200);
    server.end();
}

/// All at once, since each takes its time: the server's limits are 15 and 30 seconds.
#[test]
fn who_is_slow_with_the_head_with_the_body_or_with_the_answer() {
    let server = Server::watch(&[]);
    let mut slow_head = server.connect();
    slow_head.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").unwrap();
    let mut slow_body = server.connect();
    let head =
        format!("POST {LOGIN} HTTP/1.1\r\nHost: localhost\r\n{FORM}Content-Length: 1000\r\n\r\na");
    slow_body.write_all(head.as_bytes()).unwrap();
    // Asks for more and more, and takes nothing of the answers. It is given up once they wait.
    let mut no_taker = server.connect();
    no_taker.set_write_timeout(Some(std::time::Duration::from_secs(100))).unwrap();
    let request = format!("GET {PREFIX}/admin/script.js HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let asking =
        std::thread::spawn(move || while no_taker.write_all(request.as_bytes()).is_ok() {});
    // Meanwhile others are served.
    for _ in 0..20 {
        assert_eq!(server.get("/healthz", &[]).status, 200);
    }
    let mut trickle = slow_body.try_clone().unwrap();
    let trickling = std::thread::spawn(move || {
        while trickle.write_all(b"a").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    });
    let status = read(slow_head).status;
    assert!([0, 408].contains(&status), "{status}");
    let status = read(slow_body).status;
    assert!([0, 400, 408].contains(&status), "{status}");
    asking.join().unwrap();
    trickling.join().unwrap();
    server.end();
}

#[test]
fn connections_that_say_nothing_keep_nobody_out() {
    let server = Server::watch(&[]);
    // More than are held at a time: 200 idle ones after a first answer, and 400 that never ask.
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..200 {
        let mut stream = server.connect();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert_ne!(stream.read(&mut [0; 12]).unwrap(), 0);
        idle.push(stream);
    }
    idle.extend((0..400).map(|_| server.connect()));
    for _ in 0..50 {
        assert_eq!(server.get("/healthz", &[]).status, 200);
    }
    drop(idle);
    server.end();
}

#[test]
fn paths_and_parameters_that_play_games() {
    let server = Server::watch(&[]);
    server.sandbox.write("a.jpg", b"a");
    server.sandbox.wait_for_entries(1);
    let token = bearer();
    let long = "9".repeat(5_000);
    let games = [
        "..",
        "%2e%2e",
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "..%5c..",
        "%00",
        "a%00b",
        "%ff%fe",
        "%",
        "%zz",
        "-1",
        "0",
        "1e9",
        "9223372036854775808",
        "99999999999999999999",
        "٣",
        "1%20OR%201=1",
        "1'--",
        "%f0%9f%98%80",
        &long,
    ];
    let mut paths = Vec::new();
    for game in games {
        for path in [
            "/{}",
            "/partners/image-cache/{}",
            "/partners/image-cache/admin/{}",
            "/partners/image-cache/admin/entries/{}/",
            "/partners/image-cache/entries/{}/",
            "/partners/image-cache/entries/{}/content",
            "/partners/image-cache/jobs/{}/",
        ] {
            paths.push(path.replace("{}", game));
        }
        for name in [
            "search",
            "type",
            "payload",
            "sort",
            "order",
            "limit",
            "cursor",
            "days",
            "not_accessed_days",
            "after",
            "page",
            "lang",
            "next",
            "id",
        ] {
            for page in
                ["admin/entries/", "admin/cleanup/", "admin/", "admin/login", "entries/", "status/"]
            {
                paths.push(format!("{PREFIX}/{page}?{name}={game}"));
            }
        }
    }
    for path in paths {
        let answer = server.get(&path, &[&token]);
        // Whatever it is, it is neither a fault of ours nor somebody else's file.
        assert!((200..500).contains(&answer.status), "{path}: {} {}", answer.head, answer.body);
        assert!(!answer.body.contains("root:"), "{path}");
        assert!(!answer.head.to_lowercase().contains("location: //"), "{path}: {}", answer.head);
    }
    let log = server.end();
    assert!(!log.contains("event=failed"), "{log}");
}
