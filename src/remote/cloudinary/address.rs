//! Which URLs belong to a Cloudinary account, and what they lead to.

use reqwest::Url;

use crate::model::Digest;
use crate::model::remote::Cloudinary;
use crate::remote::key;

/// Where Cloudinary delivers from.
const DELIVERY: &str = "res.cloudinary.com";

/// How a raw asset is protected: the kinds that we have ever made.
pub(super) const TYPES: [&str; 2] = ["authenticated", "upload"];

/// A URL of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub url: Url,
    pub content: Digest,
    /// One of [`TYPES`].
    pub kind: &'static str,
    /// It carries the signature without which nobody gets an authenticated asset.
    pub signed: bool,
}

/// A URL of the account's, whatever it leads to.
struct Asset<'t> {
    url: Url,
    kind: &'static str,
    signed: bool,
    /// Below our folder.
    name: &'t str,
}

/// The name of a content in the account.
pub(super) fn public_id(account: &Cloudinary, content: Digest) -> String {
    format!("{}{}", folder(account), key::of(content))
}

/// What all our public ids begin with, the last `/` included; may be empty.
pub(super) fn folder(account: &Cloudinary) -> String {
    if account.folder.is_empty() { String::new() } else { format!("{}/", account.folder) }
}

/// Reads `https://res.cloudinary.com/CLOUD/raw/authenticated/s--SIGNATURE--/v123/FOLDER/KEY`.
pub(super) fn read(account: &Cloudinary, text: &str) -> Option<Address> {
    let Asset { url, kind, signed, name } = asset(account, text)?;
    Some(Address { url, content: key::content(name)?, kind, signed })
}

/// The URL, when it leads to the asset of this name below our folder.
pub(super) fn leads_to(account: &Cloudinary, text: &str, name: &str) -> Option<Url> {
    asset(account, text).filter(|asset| asset.name == name).map(|asset| asset.url)
}

fn asset<'t>(account: &Cloudinary, text: &'t str) -> Option<Asset<'t>> {
    let url = Url::parse(text).ok()?;
    // What is asked for is then what was written: nothing was resolved or added in reading it, and the
    // path is the end of the text.
    if url.as_str() != text || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let cloud_in_path = host(account, &url)?;
    let path = text[text.len() - url.path().len()..].strip_prefix('/')?;
    let cloud = format!("{}/", account.cloud);
    let path = match (path.strip_prefix(&cloud), cloud_in_path) {
        (Some(rest), CloudInPath::Yes | CloudInPath::Perhaps) => rest,
        (None, CloudInPath::No | CloudInPath::Perhaps) => path,
        _ => return None,
    };
    let path = path.strip_prefix("raw/")?;
    let (kind, mut path) =
        TYPES.iter().find_map(|kind| Some((*kind, path.strip_prefix(kind)?.strip_prefix('/')?)))?;
    let mut signed = false;
    if let Some((signature, rest)) =
        path.strip_prefix("s--").and_then(|rest| rest.split_once("--/"))
    {
        if !signature.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            return None;
        }
        (signed, path) = (true, rest);
    }
    if let Some((version, rest)) = path.strip_prefix('v').and_then(|rest| rest.split_once('/'))
        && !version.is_empty()
        && version.bytes().all(|byte| byte.is_ascii_digit())
    {
        path = rest;
    }
    let name = path.strip_prefix(&folder(account))?;
    Some(Asset { url, kind, signed, name })
}

/// Whether a delivery may send us on to this URL: to a host of the account's.
pub(super) fn may_lead_to(account: &Cloudinary, url: &Url) -> bool {
    host(account, url).is_some()
}

/// Whether the paths of a host begin with the cloud's name.
enum CloudInPath {
    Yes,
    No,
    Perhaps,
}

/// `None` when the host is none of the account's.
fn host(account: &Cloudinary, url: &Url) -> Option<CloudInPath> {
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let api = Url::parse(&account.api).ok()?;
    if is_loopback(&api) && url.origin() == api.origin() {
        return Some(CloudInPath::Yes);
    }
    if url.scheme() != "https" || url.port().is_some() {
        return None;
    }
    let host = url.host_str()?;
    if host == DELIVERY {
        Some(CloudInPath::Yes)
    } else if host == format!("{}-{DELIVERY}", account.cloud.to_ascii_lowercase()) {
        Some(CloudInPath::No)
    } else if account.delivery_host.as_deref() == Some(host) {
        Some(CloudInPath::Perhaps)
    } else {
        None
    }
}

/// A server of this very machine: there alone we talk without TLS.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn account(api: &str) -> Cloudinary {
        Cloudinary {
            cloud: "shop".into(),
            key: "1".into(),
            secret: "2".into(),
            api: api.into(),
            delivery_host: Some("images.shop.example".into()),
            folder: "imagecached".into(),
            public: false,
        }
    }

    fn reads(api: &str, before: &str) -> Option<(&'static str, bool)> {
        let read = read(&account(api), &format!("{before}/{KEY}"))?;
        assert_eq!(read.content, Digest::of(b"abc"));
        Some((read.kind, read.signed))
    }

    #[test]
    fn urls_of_the_account_are_understood() {
        let reads = |before: &str| reads("https://api.cloudinary.com", before);
        for host in [
            "https://res.cloudinary.com/shop",
            "https://shop-res.cloudinary.com",
            "https://images.shop.example",
            "https://images.shop.example/shop",
        ] {
            let signed = reads(&format!("{host}/raw/authenticated/s--aB3_-x9Z--/v12/imagecached"));
            assert_eq!(signed, Some(("authenticated", true)), "{host}");
            let public = reads(&format!("{host}/raw/upload/v12/imagecached"));
            assert_eq!(public, Some(("upload", false)), "{host}");
        }
    }

    #[test]
    fn all_others_are_not_ours() {
        let ok = "https://res.cloudinary.com/shop/raw/upload/v1/imagecached";
        for before in [
            "http://res.cloudinary.com/shop/raw/upload/v1/imagecached",
            "https://res.cloudinary.com:8443/shop/raw/upload/v1/imagecached",
            "https://u@res.cloudinary.com/shop/raw/upload/v1/imagecached",
            "https://res.cloudinary.com.evil.example/shop/raw/upload/v1/imagecached",
            "https://evil.example/shop/raw/upload/v1/imagecached",
            "https://res.cloudinary.com/other/raw/upload/v1/imagecached",
            "https://other-res.cloudinary.com/raw/upload/v1/imagecached",
            "https://res.cloudinary.com/shop/image/upload/v1/imagecached",
            "https://res.cloudinary.com/shop/raw/fetch/v1/imagecached",
            "https://res.cloudinary.com/shop/raw/upload/v1/elsewhere",
            "https://res.cloudinary.com/shop/raw/upload/fl_attachment/v1/imagecached",
            "https://res.cloudinary.com/shop/raw/upload/v1/../v1/imagecached",
            "https://res.cloudinary.com/shop/raw/upload/s--a/b--/v1/imagecached",
            "http://127.0.0.1:7/shop/raw/upload/v1/imagecached",
            "",
        ] {
            assert_eq!(reads("https://api.cloudinary.com", before), None, "{before}");
        }
        let account = account("https://api.cloudinary.com");
        assert!(read(&account, &format!("{ok}/{KEY}")).is_some());
        for after in ["?x=1", "#x", ".jpg", "/"] {
            assert_eq!(read(&account, &format!("{ok}/{KEY}{after}")), None, "{after}");
        }
    }

    #[test]
    fn a_server_of_this_machine_is_asked_when_it_is_the_api() {
        let path = "/shop/raw/authenticated/s--x--/v1/imagecached";
        let at = |api: &str, host: &str| reads(api, &format!("{host}{path}")).is_some();
        assert!(at("http://127.0.0.1:7001", "http://127.0.0.1:7001"));
        assert!(!at("http://127.0.0.1:7001", "http://127.0.0.1:7002"));
        assert!(!at("http://10.0.0.1:7001", "http://10.0.0.1:7001"));
    }
}
