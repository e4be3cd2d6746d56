//! `cloudinary://key:secret@cloud`, as Cloudinary's console shows it.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::model::remote::Cloudinary;
use crate::settings::UrlError;

pub(super) const CURE: &str =
    "set it to what Cloudinary's console shows: cloudinary://key:secret@cloud";

/// Where the API is, unless the URL says otherwise.
const API: &str = "https://api.cloudinary.com";

/// Reads the URL. Nothing of it but the cloud's name is ever put into an error.
pub(super) fn parse(text: &str, folder: String, public: bool) -> Result<Cloudinary, UrlError> {
    let refuse = |why: &str| UrlError { why: why.into(), cure: CURE.into() };
    let text = text.trim().trim_matches(['"', '\'']);
    // Copied from the console together with the variable's name.
    let text = text.strip_prefix("CLOUDINARY_URL=").unwrap_or(text);
    let rest = text
        .strip_prefix("cloudinary://")
        .ok_or_else(|| refuse("does not begin with cloudinary://"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (login, cloud) =
        rest.rsplit_once('@').ok_or_else(|| refuse("has no @ before the cloud's name"))?;
    let (key, secret) =
        login.split_once(':').ok_or_else(|| refuse("has no : between key and secret"))?;
    // cloudinary://key:secret@cloud/images.shop.example is the old way to name a host for delivery.
    let (cloud, mut delivery) = match cloud.trim_end_matches('/').split_once('/') {
        Some((cloud, host)) => (cloud, Some(host.to_owned())),
        None => (cloud.trim_end_matches('/'), None),
    };
    let decoded = |part: &str| {
        let part = percent_decode_str(part).decode_utf8();
        part.map(String::from).map_err(|_| refuse("is not UTF-8 where it has % in it"))
    };
    let (key, secret) = (decoded(key)?, decoded(secret)?);
    // The console shows placeholders until one asks for the real thing.
    if [&key, &secret].iter().any(|part| part.is_empty() || part.starts_with('<')) {
        return Err(refuse("has no key or no secret in it"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if cloud.is_empty() || !cloud.chars().all(plain) {
        return Err(refuse("names no cloud"));
    }
    let mut api = API.to_owned();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "upload_prefix" => api = checked_api(&value)?,
            "secure_distribution" | "secure_cname" => delivery = Some(value.into_owned()),
            // What else the official libraries know is about building URLs, which we never do.
            _ => {}
        }
    }
    if let Some(host) = &delivery
        && !host.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    {
        return Err(refuse("names a host for delivery that is none"));
    }
    let delivery_host = delivery.map(|host| host.to_ascii_lowercase());
    Ok(Cloudinary { cloud: cloud.into(), key, secret, api, delivery_host, folder, public })
}

/// Everything we say there is signed with the secret: without TLS it stays on this machine.
fn checked_api(text: &str) -> Result<String, UrlError> {
    let refuse = || UrlError {
        why: "has an upload_prefix that is no address of Cloudinary's".into(),
        cure: "write upload_prefix=https://api-eu.cloudinary.com, or leave it out".into(),
    };
    let url = Url::parse(text).map_err(|_| refuse())?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    let plain = url.username().is_empty() && url.query().is_none() && url.path() == "/";
    if !plain || !(url.scheme() == "https" || (url.scheme() == "http" && loopback)) {
        return Err(refuse());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The URL without key and secret.
pub(super) fn shown(text: &str) -> Option<String> {
    let account = parse(text, String::new(), false).ok()?;
    Some(format!("cloudinary://…@{}", account.cloud))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Cloudinary, UrlError> {
        parse(text, "imagecached".into(), false)
    }

    #[test]
    fn what_the_console_shows_is_read() {
        for text in [
            "cloudinary://12345:s3cret@shop",
            "CLOUDINARY_URL=cloudinary://12345:s3cret@shop",
            " 'cloudinary://12345:s3cret@shop/' ",
        ] {
            let account = read(text).unwrap();
            assert_eq!(
                (&*account.key, &*account.secret, &*account.cloud),
                ("12345", "s3cret", "shop")
            );
            assert_eq!((&*account.api, account.delivery_host), (API, None));
        }
        let account = read("cloudinary://1:a%2Fb%40c@shop?upload_prefix=https%3A%2F%2Fapi-eu.cloudinary.com&secure_distribution=Images.shop.example").unwrap();
        assert_eq!(account.secret, "a/b@c");
        assert_eq!(account.api, "https://api-eu.cloudinary.com");
        assert_eq!(account.delivery_host.as_deref(), Some("images.shop.example"));
        assert_eq!(
            read("cloudinary://1:2@s?upload_prefix=http://127.0.0.1:7").unwrap().api,
            "http://127.0.0.1:7"
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_its_secret() {
        for text in [
            "",
            "12345:s3cret@shop",
            "cloudinary://12345:s3cret",
            "cloudinary://s3cret@shop",
            "cloudinary://<your_api_key>:<your_api_secret>@shop",
            "cloudinary://12345:@shop",
            "cloudinary://12345:s3cret@",
            "cloudinary://12345:s3cret@sh.op",
            "cloudinary://12345:s3cret@shop?upload_prefix=http://evil.example",
            "cloudinary://12345:s3cret@shop?upload_prefix=s3cret",
            "cloudinary://12345:s3cret@shop?secure_distribution=a/b",
        ] {
            let error = read(text).expect_err(text);
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        assert_eq!(shown("cloudinary://12345:s3cret@shop").unwrap(), "cloudinary://…@shop");
        assert_eq!(shown("cloudinary://s3cret"), None);
    }
}
