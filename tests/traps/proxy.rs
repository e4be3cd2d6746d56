//! A proxy in front of a database server, which goes away, cuts connections or is slow at will.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A way to a server that can be closed.
pub struct Proxy {
    url: url::Url,
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    server: SocketAddr,
    closed: AtomicBool,
    /// Bytes a second from the server, for each connection.
    speed: AtomicU64,
    connections: Mutex<Vec<Connection>>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// What arrives on it is swallowed.
    silent: Arc<AtomicBool>,
    /// Held by both directions for as long as they are open.
    open: Arc<()>,
}

impl Proxy {
    /// In front of the server that this database URL names.
    pub fn new(url: &str) -> Self {
        let mut url = url::Url::parse(url).expect("a URL");
        let host = (url.host_str().expect("a host").to_owned(), url.port().expect("a port"));
        let server = host.to_socket_addrs().expect("an address").next().expect("an address");
        let shared = Arc::new(Shared {
            server,
            closed: AtomicBool::new(false),
            speed: AtomicU64::new(u64::MAX),
            connections: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        url.set_port(Some(address.port())).expect("a URL with a port");
        let accepting = Some(accept(listener, shared.clone()));
        Self { url, address, shared, accepting }
    }

    /// The database URL that leads through the proxy.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Connections that were opened and neither closed nor cut.
    pub fn connections(&self) -> usize {
        let mut connections = self.shared.connections.lock().expect("no panic");
        connections.retain(|connection| Arc::strong_count(&connection.open) > 1);
        connections.len()
    }

    /// Lets so many bytes a second through to each client.
    pub fn slow_down(&self, bytes_a_second: u64) {
        self.shared.speed.store(bytes_a_second, Ordering::SeqCst);
    }

    /// Cuts all connections, as a server does that is restarted.
    pub fn cut(&self) {
        for connection in self.shared.connections.lock().expect("no panic").drain(..) {
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
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().expect("no panic");
        }
        self.cut();
    }

    /// Takes connections again.
    pub fn come_back(&mut self) {
        self.shared.closed.store(false, Ordering::SeqCst);
        let listener = TcpListener::bind(self.address).expect("the port of before");
        self.accepting = Some(accept(listener, self.shared.clone()));
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
            // A server that is not there is no business of the proxy: the client sees it close.
            let Ok(server) = TcpStream::connect(shared.server) else { continue };
            let _ = client.set_nodelay(true);
            let _ = server.set_nodelay(true);
            let (open, silent) = (Arc::new(()), Arc::new(AtomicBool::new(false)));
            let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
            let (from, to, held) = (clone(&client), clone(&server), open.clone());
            let deaf = silent.clone();
            thread::spawn(move || {
                pump(from, to, &AtomicU64::new(u64::MAX), &deaf);
                drop(held);
            });
            let (from, to, held) = (clone(&server), clone(&client), open.clone());
            let (with_speed, deaf) = (shared.clone(), silent.clone());
            thread::spawn(move || {
                pump(from, to, &with_speed.speed, &deaf);
                drop(held);
            });
            let connection = Connection { client, server, silent, open };
            shared.connections.lock().expect("no panic").push(connection);
        }
    })
}

fn pump(mut from: TcpStream, mut to: TcpStream, speed: &AtomicU64, silent: &AtomicBool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if silent.load(Ordering::SeqCst) {
            continue;
        }
        let speed = speed.load(Ordering::SeqCst);
        if speed != u64::MAX {
            thread::sleep(Duration::from_secs_f64(length as f64 / speed as f64));
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
