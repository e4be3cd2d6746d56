//! A URL of a database server, taken apart and put together again as the drivers want it.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::UrlError;

/// The parts, decoded.
#[derive(Clone)]
pub(super) struct Server {
    pub user: Option<String>,
    pub password: Option<String>,
    pub host: Host,
    pub port: Option<u16>,
    pub database: String,
    /// What stands after the `?` and does not say where the database is or who we are.
    pub parameters: Vec<(String, String)>,
    /// The password was read although it is not written as a URL wants it.
    pub raw_password: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// A name or an address; IPv6 with its brackets.
    Name(String),
    /// Where the socket is: PostgreSQL names its directory, MySQL the socket itself.
    Socket(String),
    /// None is given.
    Default,
}

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const ENCODE: &str = "write special characters in user and password with %: \
                      @ as %40, / as %2F, ? as %3F, # as %23, : as %3A, % as %25";

/// Reads what follows `scheme://`.
///
/// The reading of the standard comes first. Where it makes no sense, the password may hold a raw `/`, `?`,
/// `#` or `@`: it is taken so if there is just one way to.
pub(super) fn read(rest: &str) -> Result<Server, UrlError> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let standard = match rest[..end].rfind('@') {
        Some(at) => place(&rest[at + 1..]).and_then(|server| with_login(server, &rest[..at])),
        None => place(rest),
    };
    let refusal = match standard {
        Ok(server) => return Ok(server),
        Err(refusal) => refusal,
    };
    let mut raw = rest.match_indices('@').filter_map(|(at, _)| {
        let (login, tail) = (&rest[..at], &rest[at + 1..]);
        let (user, password) = login.split_once(':')?;
        if user.contains(['/', '?', '#', '@']) || password.is_empty() {
            return None;
        }
        let server = place(tail).ok().filter(|server| matches!(server.host, Host::Name(_)))?;
        let server = with_login(server, login).ok()?;
        Some(Server { raw_password: true, ..server })
    });
    match (raw.next(), raw.next()) {
        (Some(server), None) => Ok(server),
        (Some(_), Some(_)) => Err(UrlError::new("can be read in more than one way", ENCODE)),
        (None, _) => Err(refusal),
    }
}

/// Reads `host:port/database?parameters`.
fn place(text: &str) -> Result<Server, UrlError> {
    if text.contains('#') {
        return Err(UrlError::new("holds a #, where a URL ends", ENCODE));
    }
    let (text, query) = text.split_once('?').unwrap_or((text, ""));
    let (authority, path) = text.split_once('/').unwrap_or((text, ""));
    let (host, port) = host_and_port(authority)?;
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.contains(['/', '@']) {
        return Err(UrlError::new("has a / or @ where the name of the database stands", ENCODE));
    }
    let mut server = Server {
        user: None,
        password: None,
        host,
        port,
        database: decoded(path)?,
        parameters: Vec::new(),
        raw_password: false,
    };
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if key.contains(['/', '@']) {
            return Err(UrlError::new("has a / or @ where the name of a parameter stands", ENCODE));
        }
        server.parameter(&key, value)?;
    }
    if server.database.is_empty() {
        return Err(UrlError::new("names no database", "add /database after the host"));
    }
    Ok(server)
}

fn with_login(server: Server, login: &str) -> Result<Server, UrlError> {
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password)?)),
        None => (login, None),
    };
    if password.as_deref() == Some("[YOUR-PASSWORD]") {
        return Err(UrlError::new(
            "has a placeholder for its password",
            "put the password of the database in place of [YOUR-PASSWORD]",
        ));
    }
    let user = Some(decoded(user)?).filter(|user| !user.is_empty());
    let password = password.filter(|password| !password.is_empty());
    // A login in front of the host beats one among the parameters.
    Ok(Server { user: user.or(server.user), password: password.or(server.password), ..server })
}

fn host_and_port(authority: &str) -> Result<(Host, Option<u16>), UrlError> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest
            .split_once(']')
            .filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok())
            .ok_or_else(|| {
                UrlError::new("has a host in brackets that is no IPv6 address", "write it as [::1]")
            })?;
        (Host::Name(format!("[{address}]")), port.strip_prefix(':').unwrap_or(port))
    } else {
        if authority.parse::<Ipv6Addr>().is_ok() {
            return Err(UrlError::new("has a bare IPv6 address", "put it in brackets: [::1]"));
        }
        if authority.contains(',') {
            return Err(UrlError::new(
                "names several hosts",
                "name one, the one that takes writes (the primary)",
            ));
        }
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        (named_host(&decoded(host)?)?, port)
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    if host == Host::Default {
        return Err(UrlError::new("has a port and no host", "put the host in front of the port"));
    }
    match port.parse() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ if port.bytes().all(|b| b.is_ascii_digit()) => {
            Err(UrlError::new("has a port out of range", "write a port from 1 to 65535"))
        }
        // Not shown: it is a password as often as not.
        _ => Err(UrlError::new("has something that is no number where the port stands", ENCODE)),
    }
}

fn named_host(host: &str) -> Result<Host, UrlError> {
    if host.is_empty() {
        Ok(Host::Default)
    } else if host.starts_with('/') {
        Ok(Host::Socket(host.into()))
    } else if host.parse::<Ipv6Addr>().is_ok() {
        Ok(Host::Name(format!("[{host}]")))
    } else if host.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        Ok(Host::Name(host.into()))
    } else {
        Err(UrlError::new("has a host with characters that no host name has", ENCODE))
    }
}

fn decoded(text: &str) -> Result<String, UrlError> {
    percent_decode_str(text).decode_utf8().map(Cow::into_owned).map_err(|_| {
        UrlError::new(
            "has %-codes that are not UTF-8",
            "encode the text as UTF-8; a % itself is %25",
        )
    })
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

impl Server {
    /// Takes in one parameter: place and login are said there too, by libpq and by JDBC.
    fn parameter(&mut self, key: &str, value: Cow<'_, str>) -> Result<(), UrlError> {
        let named = !value.is_empty();
        match key {
            "host" | "hostaddr" if named => self.host = named_host(&value)?,
            "socket" | "unix_socket" | "unixSocket" if named => {
                self.host = Host::Socket(value.into());
            }
            "port" if named => {
                let port = value.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
                    UrlError::new("has a port out of range", "write a port from 1 to 65535")
                })?;
                self.port = Some(port);
            }
            "dbname" | "database" if named => self.database = value.into(),
            "user" | "username" if named => self.user = Some(value.into()),
            "password" if named => self.password = Some(value.into()),
            _ => self.parameters.push((key.into(), value.into())),
        }
        Ok(())
    }

    /// The URL that the PostgreSQL driver takes.
    pub(super) fn postgres_url(&self, mut parameters: Vec<(String, String)>) -> String {
        let authority = match &self.host {
            Host::Name(host) => self.authority(host),
            Host::Socket(path) => {
                // The host in front is only there to carry user and port: the parameter beats it.
                parameters.push(("host".into(), path.clone()));
                self.authority("localhost")
            }
            Host::Default => {
                // Without a host there is no place for a login; the driver then looks for the local socket.
                let login = [("user", &self.user), ("password", &self.password)];
                for (key, value) in login {
                    parameters.extend(value.clone().map(|value| (key.to_owned(), value)));
                }
                parameters.extend(self.port.map(|port| ("port".to_owned(), port.to_string())));
                String::new()
            }
        };
        self.url("postgres", &authority, &parameters)
    }

    /// The URL that the MySQL driver takes.
    pub(super) fn mysql_url(
        &self,
        mut parameters: Vec<(String, String)>,
    ) -> Result<String, UrlError> {
        let authority = match &self.host {
            Host::Name(host) => self.authority(host),
            Host::Socket(path) => {
                parameters.push(("socket".into(), path.clone()));
                self.authority("localhost")
            }
            Host::Default => {
                return Err(UrlError::new(
                    "names no host",
                    "put the host in front of the database, or add ?socket=/run/mysqld/mysqld.sock",
                ));
            }
        };
        Ok(self.url("mysql", &authority, &parameters))
    }

    fn authority(&self, host: &str) -> String {
        let mut text = String::new();
        if self.user.is_some() || self.password.is_some() {
            text.push_str(&encoded(self.user.as_deref().unwrap_or_default()));
            if let Some(password) = &self.password {
                text.push(':');
                text.push_str(&encoded(password));
            }
            text.push('@');
        }
        text.push_str(host);
        if let Some(port) = self.port {
            text.push_str(&format!(":{port}"));
        }
        text
    }

    fn url(&self, scheme: &str, authority: &str, parameters: &[(String, String)]) -> String {
        let mut url = format!("{scheme}://{authority}/{}", encoded(&self.database));
        for (index, (key, value)) in parameters.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(&format!("{key}={}", encoded(value)));
        }
        url
    }
}
