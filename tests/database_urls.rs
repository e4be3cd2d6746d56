//! Trap 22: database URLs as they are met in the wild, good and bad.

use std::path::Path;
use std::str::FromStr;

use imagecached::settings::{parse_database_url, redact};
use imagecached::store::Target;
use sqlx::ConnectOptions;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;

const WORK: &str = "/nowhere/work";

fn read(text: &str) -> Result<(String, Vec<String>), String> {
    let understood =
        parse_database_url(text, Path::new(WORK)).map_err(|error| error.to_string())?;
    let target = match understood.target {
        Target::Postgres(url) | Target::MySql(url) => url,
        Target::Sqlite(path) => path.display().to_string(),
    };
    Ok((target, understood.notes))
}

/// Forms that work, and what the driver is given.
const GOOD: &[(&str, &str)] = &[
    // PostgreSQL: schemes
    ("postgres://u:p@h:5432/db", "postgres://u:p@h:5432/db"),
    ("postgresql://u:p@h/db", "postgres://u:p@h/db"),
    ("postgis://u:p@h/db", "postgres://u:p@h/db"),
    ("pgsql://u:p@h/db", "postgres://u:p@h/db"),
    ("timescalegis://u:p@h/db", "postgres://u:p@h/db"),
    ("postgresql+psycopg2://u:p@h/db", "postgres://u:p@h/db"),
    ("POSTGRES://u:p@h/db", "postgres://u:p@h/db"),
    // as platforms and their users paste it
    (" \"postgres://u:p@h/db\"\n", "postgres://u:p@h/db"),
    ("'postgres://u:p@h/db'", "postgres://u:p@h/db"),
    ("postgres://u:p@h/db\r\n", "postgres://u:p@h/db"),
    ("postgres://u:p@h/db/", "postgres://u:p@h/db"),
    ("postgres://u:p@h:/db", "postgres://u:p@h/db"),
    (
        "postgresql://postgres.abc:p@aws-0-eu.pooler.supabase.com:6543/postgres",
        "postgres://postgres.abc:p@aws-0-eu.pooler.supabase.com:6543/postgres",
    ),
    (
        "postgresql://u:p@ep-x-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
        "postgres://u:p@ep-x-1.aws.neon.tech/neondb?sslmode=require",
    ),
    // PostgreSQL: TLS
    ("postgresql://u:p@h/db?sslmode=prefer", "postgres://u:p@h/db?sslmode=prefer"),
    ("postgres://u:p@h/db?sslmode=allow", "postgres://u:p@h/db?sslmode=prefer"),
    ("postgres://u:p@h/db?sslmode=no-verify", "postgres://u:p@h/db?sslmode=require"),
    ("postgres://u:p@h/db?ssl=true", "postgres://u:p@h/db?sslmode=require"),
    ("postgres://u:p@h/db?ssl=true&sslmode=verify-full", "postgres://u:p@h/db?sslmode=verify-full"),
    (
        "postgres://u:p@h/db?sslmode=verify-ca&sslrootcert=/etc/ca.pem",
        "postgres://u:p@h/db?sslmode=verify-ca&sslrootcert=%2Fetc%2Fca.pem",
    ),
    ("postgres://u:p@h/db?sslrootcert=system", "postgres://u:p@h/db?sslmode=verify-full"),
    // parameters of other tools
    ("postgres://u:p@h/db?schema=public&pgbouncer=true&connection_limit=1", "postgres://u:p@h/db"),
    (
        "postgres://u:p@h/db?pool=5&prepared_statements=false&connect_timeout=10&timeout=5000&encoding=utf8",
        "postgres://u:p@h/db",
    ),
    ("postgres://u:p@h/db?application_name=shop", "postgres://u:p@h/db?application_name=shop"),
    (
        "postgres://u:p@h/db?options=-c%20search_path%3Dshop",
        "postgres://u:p@h/db?options=-c%20search_path%3Dshop",
    ),
    // login
    ("postgres://u:p%40ss%2Fw@h/db", "postgres://u:p%40ss%2Fw@h/db"),
    ("postgres://us%40er:p@h/my%2Ddb", "postgres://us%40er:p@h/my-db"),
    ("postgres://u:100%@h/db", "postgres://u:100%25@h/db"),
    ("postgres://u:p:w@h/db", "postgres://u:p%3Aw@h/db"),
    ("postgres://u:p@ss@h/db", "postgres://u:p%40ss@h/db"),
    ("postgres://u:p#ss@h/db", "postgres://u:p%23ss@h/db"),
    ("postgres://u:p?x@h:5432/db", "postgres://u:p%3Fx@h:5432/db"),
    ("postgres://u:p@x/y?z@h/db", "postgres://u:p%40x%2Fy%3Fz@h/db"),
    ("postgres://u:p@ss/w@h/db", "postgres://u:p%40ss%2Fw@h/db"),
    ("postgres://u:12/x@h/db?sslmode=require", "postgres://u:12%2Fx@h/db?sslmode=require"),
    ("postgres://u:$ecret@h/db", "postgres://u:%24ecret@h/db"),
    ("postgres://u:p@h/db?keepalives=a@b", "postgres://u:p@h/db"),
    ("postgres://u@h/db", "postgres://u@h/db"),
    ("postgres://h/db?user=u&password=p%26w", "postgres://u:p%26w@h/db"),
    ("postgres://u:p@h?dbname=db", "postgres://u:p@h/db"),
    ("postgres://u:p@h/%D8%AF%D8%A7%D8%AF%D9%87", "postgres://u:p@h/%D8%AF%D8%A7%D8%AF%D9%87"),
    // hosts and sockets
    ("postgres://u:p@[::1]:5432/db", "postgres://u:p@[::1]:5432/db"),
    ("postgres://u:p@my_db.internal/db", "postgres://u:p@my_db.internal/db"),
    (
        "postgres://u:p@%2Fvar%2Frun%2Fpostgresql/db",
        "postgres://u:p@localhost/db?host=%2Fvar%2Frun%2Fpostgresql",
    ),
    (
        "postgres:///db?host=/var/run/postgresql&port=5433",
        "postgres://localhost:5433/db?host=%2Fvar%2Frun%2Fpostgresql",
    ),
    ("postgres:///db", "postgres:///db"),
    ("postgres://u:p@/db", "postgres:///db?user=u&password=p"),
    // MySQL and MariaDB
    ("mysql://u:p@h:3306/db", "mysql://u:p@h:3306/db"),
    ("mysql2://u:p@h/db?reconnect=true", "mysql://u:p@h/db"),
    ("mariadb://u:p@h/db", "mysql://u:p@h/db"),
    ("mysqlgis://u:p@h/db", "mysql://u:p@h/db"),
    ("mysql+pymysql://u:p@h/db?charset=utf8", "mysql://u:p@h/db"),
    (
        "mysql://u:p@h:31000/db?useSSL=true&verifyServerCertificate=false",
        "mysql://u:p@h:31000/db?ssl-mode=PREFERRED",
    ),
    ("mysql://u:p@h/db?useSSL=true&requireSSL=true", "mysql://u:p@h/db?ssl-mode=REQUIRED"),
    (
        "mysql://u:p@h/db?useSSL=true&verifyServerCertificate=true",
        "mysql://u:p@h/db?ssl-mode=VERIFY_CA",
    ),
    ("mysql://u:p@h/db?useSSL=false", "mysql://u:p@h/db?ssl-mode=DISABLED"),
    ("mysql://u:p@h/db?sslmode=require", "mysql://u:p@h/db?ssl-mode=REQUIRED"),
    (
        "mysql://u:p@h/db?ssl_mode=VERIFY_IDENTITY&ssl-ca=/ca.pem",
        "mysql://u:p@h/db?ssl-mode=VERIFY_IDENTITY&ssl-ca=%2Fca.pem",
    ),
    (
        "mysql://u:p@localhost/db?unix_socket=/run/mysqld/mysqld.sock",
        "mysql://u:p@localhost/db?socket=%2Frun%2Fmysqld%2Fmysqld.sock",
    ),
    (
        "mysql:///db?socket=/run/mysqld/mysqld.sock&user=u",
        "mysql://u@localhost/db?socket=%2Frun%2Fmysqld%2Fmysqld.sock",
    ),
    ("mysql://u:p@[2001:db8::1]:3306/db", "mysql://u:p@[2001:db8::1]:3306/db"),
    // SQLite
    ("sqlite:////data/db.sqlite3", "/data/db.sqlite3"),
    ("sqlite3:////data/db.sqlite3?mode=rwc", "/data/db.sqlite3"),
    ("spatialite:////data/db.sqlite3", "/data/db.sqlite3"),
    ("sqlite:///db.sqlite3", "/nowhere/work/db.sqlite3"),
    ("sqlite:///no/such/place/db.sqlite3", "/nowhere/work/no/such/place/db.sqlite3"),
    ("sqlite://data/db.sqlite3", "/nowhere/work/data/db.sqlite3"),
    ("sqlite://./db.sqlite3", "/nowhere/work/db.sqlite3"),
    ("sqlite:db.sqlite3", "/nowhere/work/db.sqlite3"),
    ("sqlite:/data/db.sqlite3", "/data/db.sqlite3"),
    ("sqlite:////data/my%20shop.sqlite3", "/data/my shop.sqlite3"),
    ("sqlite+aiosqlite:////data/db.sqlite3", "/data/db.sqlite3"),
];

/// Forms that do not work: why, and the cure.
const BAD: &[(&str, &str, &str)] = &[
    ("$SCALINGO_POSTGRESQL_URL", "name of another variable", "that variable's value"),
    ("${DATABASE_URL}", "name of another variable", "that variable's value"),
    ("postgres://u:${PASSWORD}@h/db", "name of another variable", "that variable's value"),
    ("DATABASE_URL=postgres://u:s3cret@h/db", "begins with DATABASE_URL=", "alone"),
    ("psql 'postgres://u:s3cret@h/db'", "begins with psql", "alone"),
    ("jdbc:postgresql://h/db?user=u&password=s3cret", "begins with jdbc:", "remove"),
    ("mongodb://u:s3cret@h/db", "not supported: mongodb://", "postgres://"),
    ("redis://:s3cret@h:6379", "not supported: redis://", "postgres://"),
    ("u:s3cret@h/db", "does not begin with the scheme", "postgres://"),
    ("s3cret", "does not begin with the scheme", "postgres://"),
    ("/data/db.sqlite3", "does not begin with the scheme", "sqlite:////"),
    ("postgres:u:s3cret@h/db", "no // after its scheme", "postgres://"),
    ("postgres://", "names no database", "/database"),
    ("postgres://u:s3cret@h", "names no database", "/database"),
    ("postgres://u:s3cret@h:5432/", "names no database", "/database"),
    ("postgres://:@:/", "names no database", "/database"),
    ("postgres://u:s3cret@:5432/db", "a port and no host", "in front of the port"),
    ("postgres://u:s3cret@h:70000/db", "port out of range", "1 to 65535"),
    ("postgres://u:s3cret@h:0/db", "port out of range", "1 to 65535"),
    ("postgres://u:s3cret@h:port/db", "no number where the port stands", "%2F"),
    ("postgres://u:s3cret@h/db?port=99999", "port out of range", "1 to 65535"),
    ("postgres://u:s3cret@h1:5432,h2:5432/db", "several hosts", "the primary"),
    ("postgres://u:s3cret@::1/db", "bare IPv6", "[::1]"),
    ("postgres://u:s3cret@[::x]/db", "no IPv6 address", "[::1]"),
    ("postgres://u:s3cret@<host>/db", "no host name has", "%40"),
    ("postgres://u:s3cret@h/db/more", "/ or @ where the name of the database", "%2F"),
    ("postgres://u:s3cret@h/db#live", "holds a #", "%23"),
    ("postgres://u:s3/cr@et/x@h/db/y", "no number where the port", "%40"),
    ("postgres://u:s3/cret@a/b?x=@c/d", "more than one way", "%40"),
    ("postgres://u:s3 cret@h/db", "white space", "%20"),
    ("postgres://u:s3cret@h/\ndb", "white space", "one line"),
    ("postgres://u:s3cret%ff@h/db", "not UTF-8", "%25"),
    ("postgres://u:s3cret@h/db?sslmode=maybe", "unknown sslmode: maybe", "verify-full"),
    ("postgres://postgres:[YOUR-PASSWORD]@h/postgres", "placeholder", "in place of"),
    ("mysql:///db", "names no host", "?socket="),
    ("mysql://u:s3cret@h", "names no database", "/database"),
    ("mysql://u:s3cret@h/db?ssl-mode=maybe", "unknown ssl-mode: maybe", "REQUIRED"),
    ("sqlite::memory:", "in memory", "name a file"),
    ("sqlite://:memory:", "in memory", "name a file"),
    ("sqlite:////data/db.sqlite3?mode=memory", "in memory", "name a file"),
    ("sqlite:////data/db.sqlite3?mode=ro", "reading only", "remove mode=ro"),
    ("sqlite://", "names no file", "sqlite:////"),
    ("sqlite:///", "names no file", "sqlite:////"),
    ("sqlite:///C:/shop/db.sqlite3", "path of Windows", "sqlite:////"),
    ("sqlite:////tmp", "names a directory", "name of the file"),
    // SQLAlchemy's way to give the passphrase of an encrypted file.
    ("sqlite+pysqlcipher://:s3cret@/data/db.sqlite3", "passphrase", "encrypted files"),
    ("sqlite:////data/a%0Ab", "line break", "sqlite:////"),
];

#[test]
fn t22_good_forms_are_understood_and_the_driver_takes_them() {
    for (text, wanted) in GOOD {
        let (url, _) = read(text).unwrap_or_else(|error| panic!("{text:?} was refused: {error}"));
        assert_eq!(&url, wanted, "{text:?}");
        let taken = match url.split(':').next() {
            Some("postgres") => PgConnectOptions::from_str(&url).map(drop),
            Some("mysql") => MySqlConnectOptions::from_str(&url).map(drop),
            _ => Ok(()),
        };
        assert!(taken.is_ok(), "{url}: the driver says {taken:?}");
    }
}

#[test]
fn t22_bad_forms_are_refused_with_a_cure_and_without_the_password() {
    for (text, why, cure) in BAD {
        let error = read(text).map(|(url, _)| panic!("{text:?} was taken as {url}")).unwrap_err();
        let (told_why, told_cure) = error.split_once("; ").expect("a cure after the cause");
        assert!(told_why.contains(why), "{text:?}: {error}");
        assert!(told_cure.contains(cure), "{text:?}: {error}");
        for shown in [error, redact(text)] {
            assert!(!shown.contains("s3"), "{text:?} leaks: {shown}");
        }
    }
}

#[test]
fn t22_the_driver_understands_what_was_meant() {
    let postgres = |text: &str| PgConnectOptions::from_str(&read(text).unwrap().0).unwrap();
    let given = postgres("postgres://us%40er:p#s%2Fs@h:5433/my%2Fdb");
    assert_eq!((given.get_username(), given.get_host(), given.get_port()), ("us@er", "h", 5433));
    assert_eq!(given.get_database(), Some("my/db"));
    assert_eq!(given.to_url_lossy().password(), Some("p%23s%2Fs"));
    for text in ["postgres://u:p@%2Frun%2Fpg/db", "postgres://u:p@/db?host=/run/pg"] {
        let given = postgres(text);
        assert_eq!(
            given.get_socket().map(|path| path.as_path()),
            Some(Path::new("/run/pg")),
            "{text}"
        );
        assert_eq!(given.get_username(), "u", "{text}");
    }
    assert_eq!(postgres("postgres://u:p@/db").get_username(), "u");
    let given =
        MySqlConnectOptions::from_str(&read("mysql://u:p@h/db?socket=/run/m.sock").unwrap().0);
    assert_eq!(
        given.unwrap().get_socket().map(|path| path.as_path()),
        Some(Path::new("/run/m.sock"))
    );
}

#[test]
fn t22_what_is_not_plain_is_noted() {
    let notes = |text: &str| read(text).unwrap().1.join("\n");
    assert_eq!(notes("postgres://u:p@h/db?sslmode=require"), "");
    assert_eq!(
        notes("postgres://u:p@h/db?pool=5&token=s3cret"),
        "parameters of other tools are not used: pool, token"
    );
    assert!(notes("postgres://u:p@h/db?sslmode=allow").contains("taken as prefer"));
    assert!(notes("postgres://u:s3#cret@h/db").contains("read as it stands"));
    assert!(notes("sqlite:///db.sqlite3").contains("four slashes are always absolute"));
}

#[test]
fn t22_three_slashes_go_by_what_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work");
    let elsewhere = dir.path().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    let absolute = elsewhere.join("db.sqlite3");
    let relative = work.join(absolute.strip_prefix("/").unwrap());
    std::fs::create_dir_all(relative.parent().unwrap()).unwrap();
    let url = format!("sqlite://{}?mode=rwc", absolute.display());
    let taken = || match parse_database_url(&url, &work).unwrap().target {
        Target::Sqlite(path) => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(taken(), absolute, "its directory exists");
    std::fs::write(&relative, "").unwrap();
    assert_eq!(taken(), relative, "the relative file exists");
    std::fs::write(&absolute, "").unwrap();
    assert_eq!(taken(), absolute, "both files exist");
    std::fs::remove_file(&relative).unwrap();
    std::fs::remove_dir_all(&elsewhere).unwrap();
    assert_eq!(taken(), relative, "there is nothing at the absolute place");
}

#[test]
fn a_url_is_shown_without_its_secrets() {
    for (text, shown) in [
        ("postgres://u:s3cret@h:5432/db", "postgres://u:…@h:5432/db"),
        ("postgresql+psycopg2://u:s3@cr/et@h/db", "postgresql+psycopg2://u:…@h/db"),
        ("postgres://h/db?user=u&password=s3cret", "postgres://u:…@h/db"),
        ("mysql://u:s3cret@h/db?token=s3cret", "mysql://u:…@h/db?…"),
        ("sqlite:////data/db.sqlite3?key=s3cret", "sqlite:////data/db.sqlite3?…"),
        ("$SCALINGO_POSTGRESQL_URL", "$SCALINGO_POSTGRESQL_URL"),
        ("u:s3cret@h", "(hidden, 10 characters)"),
        ("postgres://u:s3cret", "(hidden, 19 characters)"),
        ("", ""),
    ] {
        assert_eq!(redact(text), shown);
    }
}
