//! Database URLs, through the program and against real servers. The table of forms is in
//! `tests/database_urls.rs`.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use crate::support::database::Kind;
use crate::support::port::Port;
use crate::support::program::Sandbox;

/// A password as a generator makes it, and as it stands in a URL.
const PASSWORD: (&str, &str) = ("p@ss/w:r#d?100%&s3cret", "p%40ss%2Fw%3Ar%23d%3F100%25%26s3cret");

fn with_url(sandbox: &Sandbox, args: &[&str], url: &str) -> Output {
    let mut command = sandbox.command(args);
    // A server that is not reached by this form is not waited for.
    command.env("DATABASE_URL", url).env("IMAGECACHED_DATABASE_WAIT", "2s").output().unwrap()
}

fn works(sandbox: &Sandbox, url: &str) {
    let output = with_url(sandbox, &["migrate"], url);
    let told = shown(&output);
    assert!(output.status.success(), "{url}: {told}");
    assert!(!told.contains("s3cret"), "{url}: {told}");
    let listed = with_url(sandbox, &["list"], url);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("here.jpg"), "{url}");
}

fn fails(sandbox: &Sandbox, url: &str, code: i32, texts: &[&str]) {
    let commands = [&["list"][..], &["run", "--", "touch", "app-was-started"]];
    // Without the database the app starts all the same; with a wrong setting it must not.
    for args in &commands[..if code == 3 { 2 } else { 1 }] {
        let output = with_url(sandbox, args, url);
        let told = shown(&output);
        assert_eq!(output.status.code(), Some(code), "{url}: {told}");
        for text in texts {
            assert!(told.contains(text), "{url}: {text:?} is missing in: {told}");
        }
        assert!(!told.contains("s3cret"), "{url}: {told}");
    }
    assert!(!sandbox.beside().join("app-was-started").exists(), "{url}");
}

fn shown(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// The database's URL without its scheme, and with another login.
fn rest(sandbox: &Sandbox, login: &str) -> String {
    let url = sandbox.url();
    let (_, host) = url.split_once('@').unwrap();
    format!("{login}@{host}")
}

fn with_an_entry(kind: Kind) -> Sandbox {
    let sandbox = Sandbox::new(kind);
    sandbox.write("here.jpg", b"here");
    sandbox.ok(&["cache-all"]);
    sandbox
}

/// A line in the server's `pg_hba.conf` that asks one user for its password, as long as it lives.
struct PasswordAsked {
    file: PathBuf,
    line: String,
}

impl PasswordAsked {
    fn of(sandbox: &Sandbox, user: &str) -> Self {
        let services = std::env::var("IMAGECACHED_TEST_SERVICES").expect("tests/with-services");
        let file = PathBuf::from(services).join("postgres/pg_hba.conf");
        let line = format!("host all {user} 127.0.0.1/32 scram-sha-256\n");
        let before = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{line}{before}")).unwrap();
        sandbox.sql("SELECT pg_reload_conf()::int::bigint");
        Self { file, line }
    }
}

impl Drop for PasswordAsked {
    fn drop(&mut self) {
        let now = fs::read_to_string(&self.file).unwrap_or_default();
        let _ = fs::write(&self.file, now.replace(&self.line, ""));
    }
}

#[test]
fn t22_postgres_in_all_spellings() {
    let sandbox = with_an_entry(Kind::Postgres);
    let rest_of = |login: &str| rest(&sandbox, login);
    let plain = rest_of("postgres");
    for scheme in ["postgres", "postgresql", "postgis", "pgsql", "timescale", "postgresql+psycopg2"]
    {
        works(&sandbox, &format!("{scheme}://{plain}"));
    }
    for parameters in [
        "sslmode=prefer",
        "sslmode=allow",
        "sslmode=disable",
        "pool=5&connect_timeout=10",
        "pgbouncer=true&schema=public",
    ] {
        works(&sandbox, &format!("postgres://{plain}?{parameters}"));
    }
    // This server has no TLS: a URL that insists is refused by the facts, and says so.
    for parameters in ["sslmode=require", "ssl=true", "sslmode=verify-full"] {
        fails(&sandbox, &format!("postgres://{plain}?{parameters}"), 4, &["TLS"]);
    }

    let user = format!("us@er/{}", std::process::id());
    let (password, in_url) = PASSWORD;
    sandbox.sql(&format!("CREATE ROLE \"{user}\" LOGIN SUPERUSER PASSWORD '{password}'"));
    let asked = PasswordAsked::of(&sandbox, &format!("\"{user}\""));
    let name = user.replace('@', "%40").replace('/', "%2F");
    let good = format!("postgres://{}", rest_of(&format!("{name}:{in_url}")));
    works(&sandbox, &good);
    let wrong = format!("postgres://{}", rest_of(&format!("{name}:wrong-s3cret")));
    fails(&sandbox, &wrong, 4, &["password authentication failed", "check the user"]);
    let config = sandbox.command(&["print-config"]).env("DATABASE_URL", &good).output().unwrap();
    assert!(config.status.success() && !shown(&config).contains("s3cret"), "{}", shown(&config));
    drop(asked);
    sandbox.sql("SELECT pg_reload_conf()::int::bigint");
    sandbox.sql(&format!("DROP ROLE \"{user}\""));
    sandbox.remove();
}

#[test]
fn t22_mariadb_in_all_spellings() {
    let sandbox = with_an_entry(Kind::MariaDb);
    let plain = rest(&sandbox, "root");
    for scheme in ["mysql", "mysql2", "mariadb", "mysqlgis", "mysql+pymysql"] {
        works(&sandbox, &format!("{scheme}://{plain}"));
    }
    for parameters in [
        "useSSL=true&verifyServerCertificate=false",
        "useSSL=false",
        "charset=utf8",
        "ssl-mode=PREFERRED",
    ] {
        works(&sandbox, &format!("mysql://{plain}?{parameters}"));
    }
    fails(&sandbox, &format!("mysql://{plain}?sslmode=require"), 4, &["TLS"]);

    let user = format!("user@{}", std::process::id());
    let (password, in_url) = PASSWORD;
    sandbox.sql(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY '{password}'"));
    sandbox.sql(&format!("GRANT ALL ON *.* TO '{user}'@'%'"));
    let name = user.replace('@', "%40");
    works(&sandbox, &format!("mysql://{}", rest(&sandbox, &format!("{name}:{in_url}"))));
    let wrong = format!("mysql://{}", rest(&sandbox, &format!("{name}:wrong-s3cret")));
    fails(&sandbox, &wrong, 4, &["Access denied", "check the user"]);
    sandbox.sql(&format!("DROP USER '{user}'@'%'"));
    sandbox.remove();
}

#[test]
fn t22_sqlite_in_all_spellings() {
    let sandbox = with_an_entry(Kind::Sqlite);
    let file = sandbox.database.file().display().to_string();
    for url in [
        format!("sqlite:///{file}"),
        format!("sqlite3:///{file}"),
        format!("sqlite:{file}"),
        format!("spatialite:///{file}?mode=rwc"),
    ] {
        works(&sandbox, &url);
    }
}

#[test]
fn t22_bad_forms_end_with_their_cure_and_no_secret() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    for (url, texts) in [
        ("$SCALINGO_POSTGRESQL_URL", ["name of another variable", "that variable's value"]),
        ("DATABASE_URL=postgres://u:s3cret@h/db", ["begins with DATABASE_URL=", "alone"]),
        ("psql 'postgres://u:s3cret@h/db'", ["begins with psql", "alone"]),
        ("mongodb://u:s3cret@h/db", ["not supported: mongodb://", "postgres://"]),
        ("u:s3cret@h/db", ["does not begin with the scheme", "postgres://"]),
        ("postgres://u:s3cret@h", ["names no database", "/database"]),
        ("postgres://u:s3cret@h:70000/db", ["port out of range", "1 to 65535"]),
        ("postgres://u:s3cret@h/db?sslmode=maybe", ["unknown sslmode", "verify-full"]),
        ("postgres://u:s3/cr@et/s3cret@h/db/y", ["no number where the port", "%40"]),
        ("postgres://postgres:[YOUR-PASSWORD]@h/postgres", ["placeholder", "in place of"]),
        ("mysql://u:s3cret@h/db?ssl-mode=maybe", ["unknown ssl-mode", "REQUIRED"]),
        ("sqlite://:memory:", ["in memory", "name a file"]),
        ("sqlite:///C:/shop/db.sqlite3", ["path of Windows", "sqlite:////"]),
    ] {
        fails(&sandbox, url, 3, &[&texts[..], &["DATABASE_URL"]].concat());
    }
    assert!(!shown(&with_url(&sandbox, &["print-config"], "u:s3cret@h")).contains("s3cret"));
}

#[test]
fn t22_an_unreachable_server_is_named_without_the_password() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    // Nobody listens there.
    let port = Port::new();
    for scheme in ["postgres", "mysql"] {
        let address = format!("127.0.0.1:{}", port.number());
        let url = format!("{scheme}://u:s3cret@{address}/db");
        let mut command = sandbox.command(&["status", "--set", "database_wait=1s"]);
        let output = command.env("DATABASE_URL", &url).output().unwrap();
        let told = shown(&output);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains(&address), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}
