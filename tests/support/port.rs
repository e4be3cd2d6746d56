//! Ports for servers that begin to listen later, or again: nobody else gets them meanwhile.

use std::net::TcpListener;

/// The ports lie below those that the kernel takes for outgoing connections, and below those of
/// `tests/with-services`.
const FIRST: u16 = 12_000;
const COUNT: u16 = 4_000;

/// A port of 127.0.0.1 that belongs to its owner, who may listen on it or not.
///
/// To whom it belongs is said by who listens on the port that is [`COUNT`] above it: that one is held from the
/// beginning to the end, also while the port itself is free. So tests that run at the same time do not take
/// a port from each other in the moment between choosing it and listening, or while a server is away.
pub struct Port {
    number: u16,
    _mine: TcpListener,
}

impl Port {
    /// One on which nobody listens.
    pub fn new() -> Self {
        loop {
            let number =
                FIRST + (getrandom::u32().expect("random numbers") % u32::from(COUNT)) as u16;
            let Ok(mine) = TcpListener::bind(("127.0.0.1", number + COUNT)) else { continue };
            // Programs other than tests know nothing of all this.
            if TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Self { number, _mine: mine };
            }
        }
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    /// Begins to listen.
    pub fn listen(&self) -> TcpListener {
        TcpListener::bind(("127.0.0.1", self.number)).expect("a port of our own")
    }
}
