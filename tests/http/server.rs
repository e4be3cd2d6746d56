//! The program while it answers HTTP, and requests to it, byte for byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};

pub const TOKEN: &str = "correct-horse-battery";
pub const PREFIX: &str = "/partners/image-cache";

/// Calls that change something, method and path below [`PREFIX`].
pub const CHANGES: [&str; 7] = [
    "POST cache-all/",
    "POST restore/",
    "POST cleanup/",
    "POST flush/",
    "DELETE entries/1/",
    "POST entries/1/restore/",
    "POST entries/1/versions/1/restore/",
];

/// Longer than anything takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(100);

pub struct Server {
    pub sandbox: Sandbox,
    pub running: Running,
    pub address: SocketAddr,
}

/// An answer, as it came.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// The header line of who has the token.
pub fn bearer() -> String {
    format!("Authorization: Bearer {TOKEN}")
}

impl Server {
    /// `watch` with these settings beside `listen`.
    pub fn watch(settings: &[&str]) -> Self {
        Self::start("watch", "127.0.0.1:0", settings)
    }

    pub fn start(command: &str, listen: &str, settings: &[&str]) -> Self {
        let mut sandbox = Sandbox::new(Kind::Sqlite);
        sandbox.environment.push(("IMAGECACHED_TOKEN".into(), TOKEN.into()));
        let server = Self::of(sandbox, command, listen, settings);
        // It listens before the tables are made.
        wait_until("it is ready", || server.get("/readyz", &[]).status == 200);
        server
    }

    pub fn of(sandbox: Sandbox, command: &str, listen: &str, settings: &[&str]) -> Self {
        let mut program = sandbox.command(&[command, "--listen", listen]);
        program.args(settings.iter().flat_map(|setting| ["--set", setting]));
        let mut running = Running::start(program);
        let line = running.wait_for_log("event=listening");
        let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        let mut address: SocketAddr = address.unwrap().trim_matches('"').parse().unwrap();
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        Self { sandbox, running, address }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes and reads to the end of the connection.
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // It may answer, and close, before it has read everything.
        let _ = stream.write_all(request);
        read(stream)
    }

    /// A request with these header lines beside `Host`.
    pub fn ask(&self, request_line: &str, headers: &[&str], body: &str) -> Answer {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let host = self.address;
        let length = if body.is_empty() && request_line.starts_with("GET") {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        self.raw(
            format!(
                "{request_line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}{lines}\r\n{body}"
            )
            .as_bytes(),
        )
    }

    pub fn get(&self, path: &str, headers: &[&str]) -> Answer {
        self.ask(&format!("GET {path}"), headers, "")
    }

    /// A form.
    pub fn post(&self, path: &str, headers: &[&str], body: &str) -> Answer {
        let form = "Content-Type: application/x-www-form-urlencoded";
        self.ask(&format!("POST {path}"), &[headers, &[form]].concat(), body)
    }

    /// One of [`CHANGES`]; gives the status.
    pub fn change(&self, call: &str, headers: &[&str]) -> u16 {
        let (method, path) = call.split_once(' ').unwrap();
        self.ask(&format!("{method} {PREFIX}/{path}"), headers, "").status
    }

    /// Logs in; gives the session's cookie as a header line.
    pub fn log_in(&self) -> String {
        let answer = self.post(&format!("{PREFIX}/admin/login"), &[], &format!("token={TOKEN}"));
        let cookie = answer.head.lines().find(|line| line.contains("imagecached_session="));
        let cookie = cookie.unwrap_or_else(|| panic!("{} {}", answer.status, answer.head));
        format!("Cookie: {}", cookie.split([':', ';']).nth(1).unwrap().trim())
    }

    /// The end; gives the log.
    pub fn end(self) -> String {
        let (status, log) = self.running.stop();
        assert!(status.success(), "{log}");
        assert!(!log.contains(TOKEN), "the token is in the log:\n{log}");
        self.sandbox.remove();
        log
    }
}

/// Reads to the end.
pub fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset after the answer tells no more than an end.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
