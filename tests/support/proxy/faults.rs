//! Faults of single HTTP requests, and the account of all requests that came.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

/// What happens to a request. Bytes are those of its body, or of the whole answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing.
    Pass,
    /// Cut after so many bytes from the server.
    CutDown(usize),
    /// Cut after so many bytes to the server.
    CutUp(usize),
    /// Nothing more from the server after so many bytes.
    StallDown(usize),
    /// Nothing more to the server after so many bytes.
    StallUp(usize),
    /// Reset before the server has seen any of it.
    Reset,
    /// This answer instead of the server's.
    Answer(String),
}

/// Where a direction of a connection ends.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub bytes: usize,
    /// It does not end in a cut but in silence.
    pub stalls: bool,
}

impl Fault {
    /// An answer with this status, and what else the head is to have, such as `Retry-After: 1\r\n`.
    pub fn status(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Answer(format!(
            "HTTP/1.1 {status} X\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    pub(super) fn limit_up(&self) -> Option<Limit> {
        match *self {
            Self::CutUp(bytes) => Some(Limit { bytes, stalls: false }),
            Self::StallUp(bytes) => Some(Limit { bytes, stalls: true }),
            _ => None,
        }
    }

    pub(super) fn limit_down(&self) -> Option<Limit> {
        match *self {
            Self::CutDown(bytes) => Some(Limit { bytes, stalls: false }),
            Self::StallDown(bytes) => Some(Limit { bytes, stalls: true }),
            _ => None,
        }
    }
}

/// The faults to come, and the requests that were.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    to_come: Vec<(Vec<String>, VecDeque<Fault>)>,
    requests: Vec<String>,
}

impl Faults {
    /// The next requests whose first line has all these words in it (`PUT partNumber=2&`; none: all
    /// requests) meet these faults, one each.
    pub fn plan(&self, words: &str, faults: &[Fault]) {
        let words = words.split_whitespace().map(str::to_owned).collect();
        self.state().to_come.push((words, faults.iter().cloned().collect()));
    }

    /// As [`Faults::plan`], for all such requests.
    pub fn always(&self, words: &str, fault: &Fault) {
        self.plan(words, &vec![fault.clone(); 10_000]);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.state().to_come.clear();
    }

    /// The first lines of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// Takes a request into account.
    pub(super) fn next(&self, head: &[u8]) -> Fault {
        let head = String::from_utf8_lossy(head);
        let line = head.lines().next().unwrap_or_default();
        let mut state = self.state();
        state.requests.push(line.to_owned());
        let planned = state.to_come.iter_mut().find(|(words, faults)| {
            !faults.is_empty() && words.iter().all(|word| line.contains(word.as_str()))
        });
        planned.and_then(|(_, faults)| faults.pop_front()).unwrap_or(Fault::Pass)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no panic")
    }
}

/// Waits for the head of a request, and leaves it unread.
pub(super) fn wait_for_head(client: &TcpStream) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = client.peek(&mut buffer).ok().filter(|length| *length > 0)?;
        if let Some(end) = buffer[..length].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            buffer.truncate(end + 4);
            return Some(buffer);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A head after whose answer the server closes the connection: so each request has one of its own.
pub(super) fn without_keep_alive(head: &[u8]) -> Vec<u8> {
    [&head[..head.len() - 2], b"Connection: close\r\n\r\n"].concat()
}

/// Answers a request, and throws away what still comes of it.
pub(super) fn answer(mut client: TcpStream, text: &str) {
    let mut rest = [0; 16 << 10];
    let _ = client.write_all(text.as_bytes());
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.set_read_timeout(Some(Duration::from_secs(2)));
    while client.read(&mut rest).is_ok_and(|read| read > 0) {}
}
