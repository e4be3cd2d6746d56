//! Small packets without delay.
//!
//! The driver leaves Nagle's algorithm on: a small packet that follows another waits until the first has been
//! acknowledged, and a server that has nothing to answer to the first acknowledges it 40 ms later. That is what
//! happens after every statement of MySQL's whose text is used only once. The driver
//! does not show its sockets, so they are looked for among the open files of this process.

use std::fs;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::{FromRawFd, RawFd};

/// Has the connections of this process that lead to `port` send small packets at once. Where the system does not
/// say which they are, all is as before: a matter of speed only.
pub(super) fn send_at_once(port: u16) {
    let Ok(open) = fs::read_dir("/proc/self/fd") else { return };
    let numbers = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers {
        set_no_delay(number, port);
    }
}

fn set_no_delay(number: RawFd, port: u16) {
    // SAFETY: the file was open a moment ago, and is not closed by this look at it, which is never dropped. Had another
    // thread closed it since, the number would be nobody's or another file's: the system then refuses
    // the first call, and the second goes to nothing but a connection to the very same port.
    let stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(number) });
    if stream.peer_addr().is_ok_and(|peer| peer.port() == port) {
        // One that has been cut meanwhile needs no speed.
        let _ = stream.set_nodelay(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn only_connections_to_the_port_are_set() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let to =
            |listener: &TcpListener| TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (here, there) = (to(&listener), to(&other));
        assert!(!here.nodelay().unwrap());
        send_at_once(listener.local_addr().unwrap().port());
        assert!(here.nodelay().unwrap() && !there.nodelay().unwrap());
    }
}
