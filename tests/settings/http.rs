//! Where HTTP is answered, and who may use it.

use crate::{Place, origin};

#[test]
fn http_is_for_this_machine_alone_unless_there_is_a_token() {
    let listen = |text: &str| {
        let place = Place::new().flag("listen", text);
        place.load().settings.http.listen.map(|address| address.to_string())
    };
    assert_eq!(listen(""), None);
    for text in ["8080", ":8080", "localhost:8080", " 127.0.0.1:8080 "] {
        assert_eq!(listen(text).as_deref(), Some("127.0.0.1:8080"), "{text}");
    }
    assert_eq!(listen("[::1]:0").as_deref(), Some("[::1]:0"));
    let file = Place::new().file("config/imagecached.toml", "listen = 8080");
    assert_eq!(file.load().settings.http.listen.map(|address| address.port()), Some(8080));
    for text in ["8080x", "70000", ":", "shop.example:80", "127.0.0.1", "-1"] {
        let message = Place::new().flag("listen", text).refused();
        assert!(
            message.starts_with(&format!("listen = {text:?} (flag --listen): is no ")),
            "{message}"
        );
    }
    let token = "0123456789abcdef";
    for beyond in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "[::ffff:10.0.0.1]:80"] {
        let place = || Place::new().env("IMAGECACHED_LISTEN", beyond);
        let message = place().refused();
        assert!(message.contains("there is no token") && message.contains("IMAGECACHED_TOKEN"));
        let loaded = place().env("IMAGECACHED_TOKEN", token).load();
        assert_eq!(loaded.settings.http.token.as_ref().unwrap().expose(), token);
        assert_eq!(origin(&loaded, "token").value, "(hidden)");
        assert!(!format!("{loaded:?}").contains(token));
    }
    for (wrong, why) in
        [("short", "fewer than 16"), ("0123456789 abcdef", "characters that a header")]
    {
        let message = Place::new().env("IMAGECACHED_TOKEN", wrong).refused();
        assert!(message.contains(why) && !message.contains(wrong), "{message}");
    }
}
