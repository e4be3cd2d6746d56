//! What stands after the `?`: the few parameters that the drivers take, spelled their way. The rest is
//! written for other tools (pools, ORMs, JDBC) and is left out; the drivers would choke on some of it.

use super::UrlError;

type Pairs = Vec<(String, String)>;

/// Parameters for the PostgreSQL driver, and notes.
pub(super) fn postgres(given: &[(String, String)]) -> Result<(Pairs, Vec<String>), UrlError> {
    let mut mode: Option<String> = None;
    let mut from_ssl: Option<String> = None;
    let mut kept = Pairs::new();
    let mut notes = Notes::default();
    for (key, value) in given {
        match key.as_str() {
            "sslmode" | "ssl-mode" | "ssl_mode" | "sslMode" => {
                mode = Some(postgres_mode(value, &mut notes)?);
            }
            "ssl" | "tls" => {
                from_ssl = Some(match yes(value) {
                    Some(true) => "require".into(),
                    Some(false) => "disable".into(),
                    None => postgres_mode(value, &mut notes)?,
                });
            }
            // libpq's word for the certificates of the system, which the driver uses anyway.
            "sslrootcert" if value == "system" => from_ssl = Some("verify-full".into()),
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => push(&mut kept, "sslrootcert", value),
            "sslcert" | "ssl-cert" => push(&mut kept, "sslcert", value),
            "sslkey" | "ssl-key" => push(&mut kept, "sslkey", value),
            "application_name" | "options" => push(&mut kept, key, value),
            _ => notes.left_out.push(key.clone()),
        }
    }
    if let Some(mode) = mode.or(from_ssl) {
        kept.insert(0, ("sslmode".into(), mode));
    }
    Ok((kept, notes.told()))
}

fn postgres_mode(value: &str, notes: &mut Notes) -> Result<String, UrlError> {
    let mode = match value.to_ascii_lowercase().replace('_', "-").as_str() {
        // The driver would take `allow` for `disable`; `prefer` is the nearest that does encrypt.
        "allow" => {
            notes.told.push("sslmode=allow is taken as prefer".into());
            "prefer"
        }
        "no-verify" => "require",
        "disable" => "disable",
        "prefer" => "prefer",
        "require" => "require",
        "verify-ca" => "verify-ca",
        "verify-full" => "verify-full",
        _ => {
            return Err(UrlError::new(
                format!("has an unknown sslmode: {value}"),
                "write sslmode=disable, prefer, require, verify-ca or verify-full",
            ));
        }
    };
    Ok(mode.into())
}

/// Parameters for the MySQL driver, and notes.
///
/// Connector/J's `useSSL`, `requireSSL` and `verifyServerCertificate` mean what its manual's table of
/// `sslMode` makes of them. Character set and time zone stay as the store needs them.
pub(super) fn mysql(given: &[(String, String)]) -> Result<(Pairs, Vec<String>), UrlError> {
    let mut mode: Option<&str> = None;
    let (mut uses, mut requires, mut verifies) = (None, None, None);
    let mut kept = Pairs::new();
    let mut notes = Notes::default();
    for (key, value) in given {
        match key.as_str() {
            "ssl-mode" | "sslmode" | "ssl_mode" | "sslMode" => mode = Some(mysql_mode(value)?),
            "useSSL" => uses = yes(value),
            "requireSSL" => requires = yes(value),
            "verifyServerCertificate" => verifies = yes(value),
            "ssl" | "tls" => match yes(value) {
                Some(on) => (uses, requires) = (Some(on), Some(on)),
                None => mode = Some(mysql_mode(value)?),
            },
            "ssl-ca" | "sslca" | "ssl_ca" => push(&mut kept, "ssl-ca", value),
            "ssl-cert" | "sslcert" | "ssl_cert" => push(&mut kept, "ssl-cert", value),
            "ssl-key" | "sslkey" | "ssl_key" => push(&mut kept, "ssl-key", value),
            _ => notes.left_out.push(key.clone()),
        }
    }
    let from_flags = match (uses, requires, verifies) {
        (Some(false), ..) => Some("DISABLED"),
        (Some(true), _, Some(true)) => Some("VERIFY_CA"),
        (_, Some(true), _) => Some("REQUIRED"),
        (Some(true), ..) => Some("PREFERRED"),
        _ => None,
    };
    if let Some(mode) = mode.or(from_flags) {
        kept.insert(0, ("ssl-mode".into(), mode.into()));
    }
    Ok((kept, notes.told()))
}

fn mysql_mode(value: &str) -> Result<&'static str, UrlError> {
    Ok(match value.to_ascii_lowercase().replace('-', "_").as_str() {
        "disabled" | "disable" => "DISABLED",
        "preferred" | "prefer" | "allow" => "PREFERRED",
        "required" | "require" => "REQUIRED",
        "verify_ca" => "VERIFY_CA",
        "verify_identity" | "verify_full" => "VERIFY_IDENTITY",
        _ => {
            return Err(UrlError::new(
                format!("has an unknown ssl-mode: {value}"),
                "write ssl-mode=DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY",
            ));
        }
    })
}

#[derive(Default)]
struct Notes {
    told: Vec<String>,
    left_out: Vec<String>,
}

impl Notes {
    fn told(mut self) -> Vec<String> {
        if !self.left_out.is_empty() {
            // Their values are not told: other tools put secrets there.
            self.told.push(format!(
                "parameters of other tools are not used: {}",
                self.left_out.join(", ")
            ));
        }
        self.told
    }
}

fn push(pairs: &mut Pairs, key: &str, value: &str) {
    pairs.push((key.into(), value.into()));
}

fn yes(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}
