//! The `Host` header: on loopback only names of this machine are answered.
//!
//! A web page from elsewhere can make its own name resolve to 127.0.0.1 and then read what the browser
//! takes for its own server (DNS rebinding). Its name is what gives it away.

use std::net::{IpAddr, SocketAddr};

use axum::http::uri::Authority;

/// Names that are answered.
#[derive(Debug, Clone)]
pub enum Hosts {
    /// Those of this machine: `localhost`, and loopback addresses.
    Loopback,
    /// Any: whoever reaches the address may ask, and needs the token.
    Any,
}

impl Hosts {
    /// What a server that listens on this address answers to.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_loopback() { Self::Loopback } else { Self::Any }
    }

    /// Whether a request for this host is answered.
    #[must_use]
    pub fn take(&self, host: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Loopback => host.is_some_and(is_this_machine),
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if host.contains('@') {
        return false;
    }
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_loopback_only_names_of_this_machine() {
        let hosts = Hosts::of("127.0.0.1:8080".parse().unwrap());
        for name in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:80", "a.localhost."] {
            assert!(hosts.take(Some(name)), "{name}");
        }
        for name in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "localhost@evil.example",
            "evil.example@localhost",
            "[::2]",
            "local host",
        ] {
            assert!(!hosts.take(Some(name)), "{name}");
        }
        assert!(!hosts.take(None));
        assert!(Hosts::of("0.0.0.0:80".parse().unwrap()).take(Some("shop.example")));
        assert!(!Hosts::of("[::1]:80".parse().unwrap()).take(Some("shop.example")));
    }
}
