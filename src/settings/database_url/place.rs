//! Where a database is, in words that may be shown.

use crate::model::Target;
use crate::settings::database_url::server::{self, Host, Server};

/// `host:port/database`, or the path of the SQLite file: never a login, a password or a parameter. The
/// same database by the same way has the same place, however its URL was written.
#[must_use]
pub fn place(target: &Target) -> String {
    let (url, port) = match target {
        Target::Postgres(url) => (url, 5432),
        Target::MySql(url) => (url, 3306),
        Target::Sqlite(path) => return path.display().to_string(),
    };
    let server = url.split_once("://").and_then(|(_, rest)| server::read(rest).ok());
    // It was made from one that could be read.
    let Some(Server { host, port: given, database, .. }) = server else { return String::new() };
    let host = match host {
        Host::Name(name) => name.to_ascii_lowercase(),
        Host::Socket(path) => path,
        Host::Default => "local".into(),
    };
    format!("{host}:{}/{database}", given.unwrap_or(port))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::parse_database_url;

    #[test]
    fn a_place_has_neither_login_nor_parameters() {
        for (url, expected) in [
            ("postgres://u:s3cret@DB.example/shop", "db.example:5432/shop"),
            ("postgresql://u:s3cret@db.example:5432/shop?sslmode=require", "db.example:5432/shop"),
            ("postgres://db.example:6432/shop?user=u&password=s3cret", "db.example:6432/shop"),
            ("postgres://u@/shop?host=/run/postgresql", "/run/postgresql:5432/shop"),
            ("postgres:///shop?password=s3cret", "local:5432/shop"),
            ("postgres://u:s3%2Fcr%40et@[::1]:5433/a%20b", "[::1]:5433/a b"),
            ("mysql://u:s3cret@db.example/shop?useSSL=true", "db.example:3306/shop"),
            ("mysql://u@localhost/shop?socket=/run/mysqld.sock", "/run/mysqld.sock:3306/shop"),
            ("sqlite:////data/app.sqlite3", "/data/app.sqlite3"),
        ] {
            let target = parse_database_url(url, Path::new("/")).expect(url).target;
            assert_eq!(place(&target), expected, "{url}");
        }
    }
}
