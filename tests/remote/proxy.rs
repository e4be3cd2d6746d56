//! A wire that fails on demand: a proxy between the program and a real server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to a connection. Each one takes the next plan; when there are none left, it just passes.
#[derive(Debug, Clone)]
pub enum Plan {
    Pass,
    /// Cut after so many bytes from the server.
    CutDown(usize),
    /// Cut after so many bytes to the server.
    CutUp(usize),
    /// Nothing more from the server after so many bytes.
    StallDown(usize),
    /// Nothing more to the server after so many bytes.
    StallUp(usize),
    /// This answer instead of the server's, to whatever is asked.
    Answer(String),
}

#[derive(Clone)]
pub struct Proxy {
    pub endpoint: String,
    plans: Arc<Mutex<Vec<Plan>>>,
    connections: Arc<Mutex<usize>>,
}

impl Proxy {
    pub fn before(endpoint: &str) -> Self {
        let server = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            plans: Arc::default(),
            connections: Arc::default(),
        };
        let serving = proxy.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                *serving.connections.lock().unwrap() += 1;
                let mut plans = serving.plans.lock().unwrap();
                let plan = if plans.is_empty() { Plan::Pass } else { plans.remove(0) };
                let server = server.clone();
                std::thread::spawn(move || join(client, &server, plan));
            }
        });
        proxy
    }

    pub fn plan(&self, plans: &[Plan]) {
        *self.plans.lock().unwrap() = plans.to_vec();
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

fn join(mut client: TcpStream, server: &str, plan: Plan) {
    if let Plan::Answer(text) = plan {
        // The head is enough to answer by; whatever follows of it is thrown away.
        let mut head = [0; 16 << 10];
        let _ = client.read(&mut head);
        let _ = client.write_all(text.as_bytes());
        let _ = client.shutdown(Shutdown::Write);
        let _ = client.set_read_timeout(Some(Duration::from_secs(2)));
        while client.read(&mut head).is_ok_and(|read| read > 0) {}
        return;
    }
    let Ok(upstream) = TcpStream::connect(server) else { return };
    let (up, down) = match plan {
        Plan::CutUp(at) => (Some((at, false)), None),
        Plan::StallUp(at) => (Some((at, true)), None),
        Plan::CutDown(at) => (None, Some((at, false))),
        Plan::StallDown(at) => (None, Some((at, true))),
        _ => (None, None),
    };
    let (from, to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
    let upward = std::thread::spawn(move || copy(from, to, up));
    copy(upstream, client, down);
    let _ = upward.join();
}

/// Copies until the end, or until the limit: then it cuts or stalls.
fn copy(mut from: TcpStream, mut to: TcpStream, limit: Option<(usize, bool)>) {
    let mut buffer = vec![0; 64 << 10];
    let mut copied = 0;
    loop {
        let room = limit.map_or(buffer.len(), |(at, _)| buffer.len().min(at - copied));
        if room == 0 {
            if limit.is_some_and(|(_, stall)| stall) {
                std::thread::sleep(Duration::from_secs(60));
            }
            break;
        }
        match from.read(&mut buffer[..room]) {
            Ok(read) if read > 0 && to.write_all(&buffer[..read]).is_ok() => copied += read,
            _ => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
