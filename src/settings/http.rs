//! Where HTTP is answered, and who may change things there: `listen`, `token` and `http.prefix`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::error::SettingsError;
use super::reader::{Given, Reader};
use crate::model::secret::{SHORTEST_TOKEN, Secret};

const TOKEN_CURE: &str = "use the output of `openssl rand -hex 16`";

/// First parts of a path that are taken: they are answered outside the prefix.
const TAKEN: [&str; 3] = ["healthz", "metrics", "readyz"];

/// The settings `listen`, `token` and `http.prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where to listen. Beyond loopback there is a token.
    pub listen: Option<SocketAddr>,
    /// `None`: one is made at start.
    pub token: Option<Secret>,
    /// `/partners/image-cache`: begins with `/`, has none at its end; may be empty.
    pub prefix: String,
}

pub(super) fn read(reader: &mut Reader) -> Result<HttpSettings, SettingsError> {
    let listen_given = reader.take("listen")?;
    let listen = listen(&listen_given)?;
    let token = token(&reader.take("token")?)?;
    if listen.is_some_and(|address| !address.ip().to_canonical().is_loopback()) && token.is_none() {
        let why = "is reached from other machines, and there is no token to keep strangers out";
        let cure = format!("set IMAGECACHED_TOKEN ({TOKEN_CURE}), or listen on 127.0.0.1");
        return Err(listen_given.refuse(why, &cure));
    }
    Ok(HttpSettings { listen, token, prefix: prefix(&reader.take("http.prefix")?)? })
}

/// An address and a port; a port alone is one of this machine's own address.
fn listen(given: &Given) -> Result<Option<SocketAddr>, SettingsError> {
    let text = given.number_or_text()?;
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let port = text.strip_prefix("localhost:").or(text.strip_prefix(':')).unwrap_or(text);
    // Digits alone: a number may also begin with a sign.
    if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) {
        return match port.parse() {
            Ok(port) => Ok(Some(loopback(port))),
            Err(_) => Err(given.refuse("is no port", "write a port from 1 to 65535")),
        };
    }
    text.parse().map(Some).map_err(|_| {
        let cure = "write an address and a port, such as 127.0.0.1:8310, [::1]:8310, 0.0.0.0:8310 \
                    (reached from other machines), or 8310";
        given.refuse("is no address to listen on", cure)
    })
}

fn token(given: &Given) -> Result<Option<Secret>, SettingsError> {
    let text = given.text()?;
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = "has characters that a header cannot carry";
        return Err(given.refuse(why, TOKEN_CURE));
    }
    if text.len() < SHORTEST_TOKEN {
        let why = format!("has fewer than {SHORTEST_TOKEN} characters, and can be guessed");
        return Err(given.refuse(&why, TOKEN_CURE));
    }
    Ok(Some(Secret::new(text)))
}

fn prefix(given: &Given) -> Result<String, SettingsError> {
    let text = given.text()?;
    let text = text.trim();
    // An empty variable counts as not set, so there has to be another way to say it.
    if text.is_empty() || text == "/" {
        return Ok(String::new());
    }
    let cure =
        "write parts of letters, digits, - . _ and ~, with a / before each: /partners/image-cache";
    let Some(rest) = text.strip_prefix('/') else {
        return Err(given.refuse("does not begin with /", cure));
    };
    if rest.ends_with('/') {
        return Err(given.refuse("has a / at its end", cure));
    }
    if text.len() > 200 {
        return Err(given.refuse("is longer than 200 characters", cure));
    }
    if let Some(c) = rest.chars().find(|c| !(c.is_ascii_alphanumeric() || "-._~/".contains(*c))) {
        return Err(given.refuse(&format!("has {c:?} in it"), cure));
    }
    let odd = |part: &&str| part.bytes().all(|byte| byte == b'.');
    if let Some(part) = rest.split('/').find(odd) {
        return Err(given.refuse(&format!("has {part:?} as a part"), cure));
    }
    let first = rest.split('/').next().unwrap_or_default();
    if TAKEN.contains(&first) {
        return Err(given.refuse(&format!("begins with /{first}, which is taken"), cure));
    }
    Ok(text.to_owned())
}
