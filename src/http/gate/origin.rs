//! Where a request comes from, as browsers tell it: another site's page must not act for a person who is
//! logged in here, nor guess tokens with that person's address.

use axum::http::{HeaderMap, header};

/// Whether a request that changes something was made by a page of this server, or by no page at all.
#[must_use]
pub fn is_ours(headers: &HeaderMap, host: Option<&str>) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    // The browser's own judgement holds behind proxies, too, that change the name of the host.
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN.as_str()) else { return true };
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let plain = |authority: &str| {
        let authority = authority.to_ascii_lowercase();
        let name = authority.strip_suffix(":80").or_else(|| authority.strip_suffix(":443"));
        name.unwrap_or(&authority).to_owned()
    };
    // An origin of `null`, as of a sandboxed page, is nobody's.
    authority.zip(host).is_some_and(|(authority, host)| plain(authority) == plain(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        is_ours(&headers, Some("shop.example:8310"))
    }

    #[test]
    fn only_pages_of_this_server_and_programs() {
        assert!(ours(&[]), "a program");
        assert!(ours(&[("origin", "http://shop.example:8310")]));
        assert!(ours(&[("origin", "https://SHOP.example:8310")]));
        for origin in [
            "null",
            "",
            "http://shop.example",
            "http://shop.example:8311",
            "http://shop.example:8310.evil.example",
            "http://evil.example/shop.example:8310",
            "ftp://shop.example:8310",
        ] {
            assert!(!ours(&[("origin", origin)]), "{origin}");
        }
        assert!(ours(&[("sec-fetch-site", "same-origin"), ("origin", "https://panel.example")]));
        assert!(ours(&[("sec-fetch-site", "none")]));
        for site in ["cross-site", "same-site", ""] {
            assert!(!ours(&[("sec-fetch-site", site), ("origin", "http://shop.example:8310")]));
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, "https://shop.example".parse().unwrap());
        assert!(is_ours(&headers, Some("shop.example:443")) && !is_ours(&headers, None));
    }
}
