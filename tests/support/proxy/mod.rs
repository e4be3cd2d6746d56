//! A proxy in front of a server, which goes away, cuts connections, is slow or falls silent at will. In
//! front of a server that speaks HTTP it makes a fault of single requests too, and counts them.

mod faults;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use faults::{Fault, Faults};

use super::port::Port;
use faults::Limit;

/// A way to a server that can be closed.
pub struct Proxy {
    url: url::Url,
    port: Port,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    server: SocketAddr,
    /// For a server that speaks HTTP.
    faults: Option<Faults>,
    closed: AtomicBool,
    /// Bytes a second to and from the server, for each connection.
    speeds: [AtomicU64; 2],
    connections: Mutex<Vec<Connection>>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// What arrives on it is swallowed.
    silent: Arc<AtomicBool>,
    /// It was cut.
    gone: Arc<AtomicBool>,
    /// Held by both directions for as long as they are open.
    open: Arc<()>,
}

impl Proxy {
    /// In front of the server that this URL names.
    pub fn new(url: &str) -> Self {
        Self::before(url, None)
    }

    /// In front of a server that speaks HTTP, at this URL.
    pub fn http(url: &str) -> Self {
        Self::before(url, Some(Faults::default()))
    }

    fn before(url: &str, faults: Option<Faults>) -> Self {
        let mut url = url::Url::parse(url).expect("a URL");
        let host = (url.host_str().expect("a host").to_owned(), url.port().expect("a port"));
        let server = host.to_socket_addrs().expect("an address").next().expect("an address");
        let shared = Arc::new(Shared {
            server,
            faults,
            closed: AtomicBool::new(false),
            speeds: [const { AtomicU64::new(u64::MAX) }; 2],
            connections: Mutex::default(),
        });
        let port = Port::new();
        url.set_port(Some(port.number())).expect("a URL with a port");
        let accepting = Some(accept(port.listen(), shared.clone()));
        Self { url, port, shared, accepting }
    }

    /// The server's URL, as it leads through the proxy.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The same without a path.
    pub fn endpoint(&self) -> &str {
        self.url().trim_end_matches('/')
    }

    /// What happens to requests, and which there were.
    pub fn faults(&self) -> &Faults {
        self.shared.faults.as_ref().expect("the server speaks HTTP")
    }

    /// Connections that were opened and neither closed nor cut.
    pub fn connections(&self) -> usize {
        let mut connections = self.shared.connections.lock().expect("no panic");
        connections.retain(|connection| Arc::strong_count(&connection.open) > 1);
        connections.len()
    }

    /// Lets so many bytes a second through to each client.
    pub fn slow_down(&self, bytes_a_second: u64) {
        self.shared.speeds[1].store(bytes_a_second, Ordering::SeqCst);
    }

    /// Lets so many bytes a second through from each client.
    pub fn slow_up(&self, bytes_a_second: u64) {
        self.shared.speeds[0].store(bytes_a_second, Ordering::SeqCst);
    }

    /// Cuts all connections, as a server does that is restarted.
    pub fn cut(&self) {
        for connection in self.shared.connections.lock().expect("no panic").drain(..) {
            connection.gone.store(true, Ordering::SeqCst);
            let _ = connection.client.shutdown(Shutdown::Both);
            let _ = connection.server.shutdown(Shutdown::Both);
        }
    }

    /// Swallows all that comes on the connections of now, without a word to either side, as a
    /// firewall does that has forgotten them. New ones work.
    pub fn fall_silent(&self) {
        for connection in self.shared.connections.lock().expect("no panic").iter() {
            connection.silent.store(true, Ordering::SeqCst);
        }
    }

    /// Cuts all connections and refuses new ones.
    pub fn go_away(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // A last connection wakes the thread up.
        let _ = TcpStream::connect(("127.0.0.1", self.port.number()));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().expect("no panic");
        }
        self.cut();
    }

    /// Takes connections again.
    pub fn come_back(&mut self) {
        self.shared.closed.store(false, Ordering::SeqCst);
        self.accepting = Some(accept(self.port.listen(), self.shared.clone()));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.go_away();
    }
}

fn accept(listener: TcpListener, shared: Arc<Shared>) -> JoinHandle<()> {
    thread::spawn(move || {
        for client in listener.incoming() {
            if shared.closed.load(Ordering::SeqCst) {
                return;
            }
            let client = client.expect("a connection");
            let _ = client.set_nodelay(true);
            let shared = shared.clone();
            match shared.faults.is_some() {
                // A request has to come first, and must not keep others from coming.
                true => drop(thread::spawn(move || shared.serve_request(client))),
                false => shared.join(client, Vec::new(), Fault::Pass),
            }
        }
    })
}

impl Shared {
    /// One request of a connection, which ends with it.
    fn serve_request(self: Arc<Self>, mut client: TcpStream) {
        let Some(head) = faults::wait_for_head(&client) else { return };
        let faults = self.faults.as_ref().expect("the server speaks HTTP");
        match faults.next(&head) {
            // What was not read makes the system send a reset.
            Fault::Reset => {}
            Fault::Answer(text) => faults::answer(client, &text),
            fault => {
                let mut taken = vec![0; head.len()];
                if client.read_exact(&mut taken).is_ok() {
                    self.join(client, faults::without_keep_alive(&head), fault);
                }
            }
        }
    }

    /// Joins a client with the server; `first` goes before all that the client sends from now on.
    fn join(self: Arc<Self>, client: TcpStream, first: Vec<u8>, fault: Fault) {
        // A server that is not there is no business of the proxy: the client sees it close.
        let Ok(mut server) = TcpStream::connect(self.server) else { return };
        let _ = server.set_nodelay(true);
        if server.write_all(&first).is_err() {
            return;
        }
        let open = Arc::new(());
        let (silent, gone): (Arc<AtomicBool>, Arc<AtomicBool>) = Default::default();
        let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
        let limits = [fault.limit_up(), fault.limit_down()];
        let ways = [(clone(&client), clone(&server)), (clone(&server), clone(&client))];
        for (way, ((from, to), limit)) in ways.into_iter().zip(limits).enumerate() {
            let (shared, held) = (self.clone(), open.clone());
            let (deaf, gone) = (silent.clone(), gone.clone());
            thread::spawn(move || {
                let stalls = pump(&from, &to, &shared.speeds[way], &deaf, limit);
                while stalls && !gone.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(50));
                }
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                drop(held);
            });
        }
        let connection = Connection { client, server, silent, gone, open };
        self.connections.lock().expect("no panic").push(connection);
    }
}

/// Carries bytes from one to the other until the end, or until the limit; says whether it is to stand
/// still there.
fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    speed: &AtomicU64,
    silent: &AtomicBool,
    limit: Option<Limit>,
) -> bool {
    let mut buffer = vec![0; 64 << 10];
    let mut left = limit.map_or(usize::MAX, |limit| limit.bytes);
    while left > 0 {
        let room = buffer.len().min(left);
        let Ok(length @ 1..) = from.read(&mut buffer[..room]) else { return false };
        if silent.load(Ordering::SeqCst) {
            continue;
        }
        let speed = speed.load(Ordering::SeqCst);
        if speed != u64::MAX {
            thread::sleep(Duration::from_secs_f64(length as f64 / speed as f64));
        }
        if to.write_all(&buffer[..length]).is_err() {
            return false;
        }
        left -= length;
    }
    limit.is_some_and(|limit| limit.stalls)
}
