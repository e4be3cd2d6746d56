//! Who is let in. Each test is named for what it refuses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use imagecached::http::gate::session::{COOKIE, LIFETIME, Session};
use imagecached::http::gate::token::Token;

use crate::server::{PREFIX, Server, TOKEN};
use crate::support::database::Kind;
use crate::support::program::Sandbox;

const CHANGE: &str = "/partners/image-cache/admin/cache-all";
const OVERVIEW: &str = "/partners/image-cache/admin/";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// A cookie of a session that began so long ago.
fn cookie(token: &str, age: Duration) -> (Session, String) {
    let token = Token::parse(token).unwrap();
    let session = Session::begin(SystemTime::now() - age).unwrap();
    let line = format!("Cookie: {COOKIE}={}", session.cookie_value(&token));
    (session, line)
}

fn form_token(session: &Session, token: &str) -> String {
    format!("form_token={}", session.form_token(&Token::parse(token).unwrap()))
}

#[test]
fn a_change_without_the_token_with_a_wrong_one_or_by_an_old_or_forged_session() {
    let server = Server::watch(&[]);
    let day = Duration::from_secs(86_400);
    let (session, fresh) = cookie(TOKEN, Duration::ZERO);
    let form = form_token(&session, TOKEN);
    let (old_session, old) = cookie(TOKEN, LIFETIME);
    let (other_session, other) = cookie("another token than ours", Duration::ZERO);
    let (next_session, _) = cookie(TOKEN, Duration::ZERO);
    // The end of the session, moved by a day; its signature is that of the one before.
    let value = fresh.split_once('=').unwrap().1;
    let (ends, rest) = value.split_once('.').unwrap();
    let ends: u64 = ends.parse().unwrap();
    let longer = format!("Cookie: {COOKIE}={}.{rest}", ends + day.as_secs());
    for (what, status, headers, body) in [
        ("no token", 401, vec![], form.clone()),
        ("wrong token", 401, vec![bearer("correct-horse-batterx")], String::new()),
        ("empty token", 401, vec![bearer("")], String::new()),
        ("other scheme", 401, vec![format!("Authorization: Basic {TOKEN}")], String::new()),
        ("old cookie", 401, vec![old], form_token(&old_session, TOKEN)),
        ("changed cookie", 401, vec![longer], form.clone()),
        ("cookie of another token", 401, vec![other], form_token(&other_session, TOKEN)),
        ("form without its token", 403, vec![fresh.clone()], "a=b".into()),
        ("form of another session", 403, vec![fresh.clone()], form_token(&next_session, TOKEN)),
        (
            "other site",
            403,
            vec![fresh.clone(), "Origin: http://evil.example".into()],
            form.clone(),
        ),
        ("no site", 403, vec![fresh.clone(), "Origin: null".into()], form.clone()),
        ("cross-site", 403, vec![fresh.clone(), "Sec-Fetch-Site: cross-site".into()], form.clone()),
        (
            "another port",
            403,
            vec![fresh.clone(), "Sec-Fetch-Site: same-site".into()],
            form.clone(),
        ),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = server.post(CHANGE, &headers, &body);
        assert_eq!(answer.status, status, "{what}: {}", answer.head);
        assert!(!answer.body.contains(TOKEN) && !answer.head.contains(TOKEN), "{what}");
    }
    let answer = server.post(CHANGE, &[&fresh], &form);
    assert_eq!(answer.status, 303, "{} {}", answer.head, answer.body);
    let own = format!("Origin: http://{}", server.address);
    assert_eq!(
        server.post(CHANGE, &[&fresh, &own, "Sec-Fetch-Site: same-origin"], &form).status,
        303
    );
    assert_eq!(server.post(CHANGE, &[&bearer(TOKEN)], "").status, 303);
    server.end();
}

#[test]
fn a_login_from_another_site_or_with_a_wrong_token() {
    let server = Server::watch(&[]);
    let login = format!("{PREFIX}/admin/login");
    let right = format!("token={TOKEN}");
    let evil = "Origin: http://evil.example";
    assert_eq!(server.post(&login, &[evil], &right).status, 403);
    let wrong = server.post(&login, &[], "token=wrong");
    assert_eq!(wrong.status, 401);
    assert!(!wrong.head.contains(COOKIE), "{}", wrong.head);
    let cookie = server.post(&login, &[], &right).head;
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(!cookie.contains(TOKEN));
    assert!(server.log_in().contains(COOKIE));
    let log = server.end();
    assert!(log.contains("event=http_refused"), "{log}");
}

#[test]
fn another_host_on_loopback() {
    let server = Server::watch(&[]);
    let ask = |host: &str| {
        let request = format!(
            "GET {OVERVIEW} HTTP/1.1\r\n{host}Connection: close\r\n{}\r\n\r\n",
            bearer(TOKEN)
        );
        server.raw(request.as_bytes()).status
    };
    for host in [
        "Host: evil.example\r\n",
        "Host: 127.0.0.1.evil.example\r\n",
        "Host: 10.0.0.1\r\n",
        "Host:\r\n",
    ] {
        assert_eq!(ask(host), 421, "{host}");
    }
    assert!([400, 421].contains(&ask("")));
    assert_eq!(ask("Host: localhost\r\nHost: evil.example\r\n"), 400);
    assert_eq!(ask("Host: evil.example\r\nHost: localhost\r\n"), 400);
    assert_eq!(ask("Host: localhost:1\r\n"), 200);
    // The name in the request line counts before the header.
    let absolute = format!(
        "GET http://evil.example{OVERVIEW} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(server.raw(absolute.as_bytes()).status, 421);
    server.end();
}

#[test]
fn who_guesses_tokens_and_nobody_else() {
    let server = Server::watch(&[]);
    let wrong = bearer("wrong-wrong-wrong-wrong");
    let statuses: Vec<u16> = (0..12).map(|_| server.get(OVERVIEW, &[&wrong]).status).collect();
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[10..], [429; 2]);
    let answer = server.get(OVERVIEW, &[&bearer(TOKEN)]);
    assert_eq!(
        answer.status, 429,
        "a token that can be guessed is not looked at, as the right one"
    );
    assert!(answer.head.to_lowercase().contains("retry-after: "), "{}", answer.head);
    // Sessions that are there go on, platforms see signs of life, and other addresses may log in.
    let (_, session) = cookie(TOKEN, Duration::ZERO);
    assert_eq!(server.get(OVERVIEW, &[&session]).status, 200);
    assert_eq!(server.get("/healthz", &[&wrong]).status, 200);
    let from = server.sandbox.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let stream = socket.connect(server.address).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    });
    let request = format!(
        "GET {OVERVIEW} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n\r\n",
        bearer(TOKEN)
    );
    std::io::Write::write_all(&mut &from, request.as_bytes()).unwrap();
    assert_eq!(crate::server::read(from).status, 200);
    server.end();
}

#[test]
fn a_guesser_does_not_lock_out_who_has_a_token_that_nobody_guesses() {
    // As behind a proxy: the guesser's address is everybody's.
    const LONG: &str = "5f0c1d7e9a3b4286b7e1d0c9f8a65432";
    let mut sandbox = Sandbox::new(Kind::Sqlite);
    sandbox.environment.push(("IMAGECACHED_TOKEN".into(), LONG.into()));
    let server = Server::of(sandbox, "watch", "127.0.0.1:0", &[]);
    let login = format!("{PREFIX}/admin/login");
    let wrong = bearer("5f0c1d7e9a3b4286b7e1d0c9f8a65433");
    for round in 0..3 {
        for _ in 0..12 {
            let answer = server.get(OVERVIEW, &[&wrong]);
            assert!([401, 429].contains(&answer.status), "{}", answer.head);
        }
        let answer = server.get(OVERVIEW, &[&wrong]);
        assert_eq!(answer.status, 429, "after {} wrong ones", (round + 1) * 12);
        assert!(answer.head.to_lowercase().contains("retry-after: "), "{}", answer.head);
        assert_eq!(server.post(&login, &[], "token=wrong").status, 429);
        assert_eq!(server.get(OVERVIEW, &[&bearer(LONG)]).status, 200);
        let answer = server.post(&login, &[], &format!("token={LONG}"));
        assert!(answer.head.contains(COOKIE), "{}", answer.head);
    }
    let log = server.end();
    let lines = log.matches("event=http_refused").count();
    assert!(lines <= 20, "{lines} lines about one guesser:\n{log}");
}

#[test]
fn strangers_beyond_loopback() {
    let server = Server::start("watch", "0.0.0.0:0", &[]);
    assert_eq!(server.get("/healthz", &[]).status, 200);
    for path in
        [OVERVIEW, "/partners/image-cache/admin/entries/", "/partners/image-cache/admin/doctor/"]
    {
        let answer = server.get(path, &[]);
        // Browsers are shown the way to the login.
        assert!([303, 401].contains(&answer.status), "{path}: {}", answer.head);
        assert!(!answer.body.contains("SQLite"), "{path}: {}", answer.body);
        let answer = server.get(path, &[&bearer(TOKEN)]);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    assert_eq!(server.get(&format!("{PREFIX}/admin/login"), &[]).status, 200);
    let (_, session) = cookie(TOKEN, Duration::ZERO);
    assert_eq!(server.get(OVERVIEW, &[&session]).status, 200);
    server.end();
}

#[test]
fn strangers_on_loopback_may_look_and_are_told_nothing_secret() {
    let server = Server::watch(&[]);
    let answer = server.get(OVERVIEW, &[]);
    assert_eq!(answer.status, 200);
    assert!(!answer.body.contains(TOKEN));
    let head = answer.head.to_lowercase();
    for line in [
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "content-security-policy: default-src 'none'",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert!(!head.contains("unsafe-inline") && !head.contains("access-control-allow"), "{head}");
    server.end();
}

#[test]
fn the_clock_of_a_session_is_read_as_it_should() {
    // What the tests above rest on.
    let (session, line) = cookie(TOKEN, Duration::ZERO);
    let value = line.split_once('=').unwrap().1;
    let token = Token::parse(TOKEN).unwrap();
    assert_eq!(Session::read(value, &token, SystemTime::now()), Some(session));
    assert_eq!(Session::read(value, &token, SystemTime::now() + LIFETIME), None);
    assert!(Session::read(value, &token, UNIX_EPOCH).is_some());
}
