//! The database: does it answer, are the tables there, and does it allow what we need.

use std::time::{Duration, Instant};

use crate::doctor::finding::Finding;
use crate::doctor::{Patient, probe};
use crate::model::base64::encoded_len;
use crate::model::entry::CHUNK_BYTES;
use crate::model::{ByteSize, Target};
use crate::settings::Settings;
use crate::store::{ServerFacts, StoreError, Trouble};

/// How long one question may take, beside the wait for a connection.
const ANSWER: Duration = Duration::from_secs(10);

/// What a statement takes in a packet beside its payload, in bytes.
const PACKET_MARGIN: u64 = 16 << 10;

/// Returns whether the tables are there and can be worked with.
pub async fn examine(patient: &Patient, tell: &mut (dyn FnMut(Finding) + Send)) -> bool {
    let settings = &patient.settings;
    for note in &settings.database.notes {
        tell(Finding::note("database.url", note));
    }
    let patience = settings.database_wait.max(Duration::from_secs(1)) + ANSWER;
    let began = Instant::now();
    let checked = tokio::time::timeout(patience, patient.store.check()).await;
    let took = began.elapsed();
    let product = patient.store.product();
    let tables = match checked {
        Ok(Ok(())) => None,
        Ok(Err(error)) if matches!(error.trouble, Trouble::Schema | Trouble::Newer) => Some(error),
        Ok(Err(error)) => {
            tell(judge_unreachable(&error));
            return false;
        }
        Err(_) => {
            tell(silent(product, patience));
            return false;
        }
    };
    // Asked of a database without tables, this may fail for that reason alone.
    let facts = tokio::time::timeout(patience, patient.store.facts()).await;
    match &facts {
        Ok(Ok(facts)) => tell(judge_answer(&facts.version, facts, took)),
        Ok(Err(_)) if tables.is_some() => {
            tell(judge_answer(product, &ServerFacts::default(), took))
        }
        Ok(Err(error)) => tell(judge_unreachable(error)),
        Err(_) => tell(silent(product, patience)),
    }
    let usable = tables.is_none();
    match tables {
        Some(error) => tell(judge_tables(&error, settings.migrate)),
        None => tell(Finding::ok("database.tables", "they are those of this version")),
    }
    if let Ok(Ok(facts)) = facts {
        let found = judge(&facts, settings);
        let writable = !found.iter().any(Finding::is_bad);
        found.into_iter().for_each(&mut *tell);
        if usable && writable {
            probe::examine(patient.store.as_ref(), patience, tell).await;
        }
    }
    usable
}

fn silent(product: &str, patience: Duration) -> Finding {
    let message = format!("{product} has not answered within {} s", patience.as_secs());
    Finding::error("database.reachable", message)
        .cure("look at the database's own status and log; the network may swallow packets")
}

fn judge_unreachable(error: &StoreError) -> Finding {
    let cure = error.cure.clone().unwrap_or_else(|| {
        "make sure that the database runs, and that DATABASE_URL names its host and port".into()
    });
    let message = format!("cannot {}: {}", error.operation, error.cause);
    Finding::error("database.reachable", message).cure(cure)
}

fn judge_answer(version: &str, facts: &ServerFacts, took: Duration) -> Finding {
    let journal = match facts.journal.as_str() {
        "" => String::new(),
        journal => format!(" (journal mode {journal})"),
    };
    let message = format!("{version}{journal} answered in {} ms", took.as_millis());
    Finding::ok("database.reachable", message)
}

fn judge_tables(error: &StoreError, migrates: bool) -> Finding {
    let cure = error.cure.clone().unwrap_or_default();
    if migrates && cure.contains("imagecached migrate") {
        let message = format!("{}; the next start of `run` makes them", error.cause);
        Finding::warning("database.tables", message).cure(cure)
    } else {
        Finding::error("database.tables", error.cause.clone()).cure(cure)
    }
}

/// What the facts mean for these settings.
fn judge(facts: &ServerFacts, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let user = Grantee::of(&settings.database.target);
    for right in &facts.missing_rights {
        let message = format!("this user lacks the right to {right}");
        findings.push(Finding::error("database.rights", message).cure(user.grant(right)));
    }
    if facts.missing_rights.is_empty() {
        findings.push(Finding::ok("database.rights", "this user may do all that is needed"));
    }
    if facts.read_only {
        findings.push(Finding::error("database.writable", "the database refuses writes").cure(
            "set DATABASE_URL to the primary; if it is the primary, its plan is full: \
                 make room, or raise the plan",
        ));
    }
    if !facts.utf8 {
        findings.push(
            Finding::warning("database.encoding", "the database's text is not UTF-8").cure(
                "CREATE DATABASE uploads ENCODING 'UTF8' TEMPLATE template0; then set \
                 IMAGECACHED_DATABASE_URL to it",
            ),
        );
    }
    if facts.pooled {
        let message = "the connection goes through a pooler such as PgBouncer, which is fine";
        findings.push(Finding::note("database.pooler", message));
    }
    let wanted = u64::from(settings.database_connections);
    findings.extend(facts.connections.map(|(used, all)| judge_connections(used, all, wanted)));
    let limit = settings.inline_limit.0;
    findings.extend(facts.max_packet.map(|packet| judge_packet(packet, limit)));
    findings
}

/// `used` and `all` count everybody's connections, ours too.
fn judge_connections(used: u64, all: u64, wanted: u64) -> Finding {
    let free = all.saturating_sub(used);
    let message = format!("{used} of {all} in use, {free} free");
    // During a deploy the old and the new container run side by side.
    if free >= wanted {
        return Finding::ok("database.connections", message);
    }
    let message = format!("{message}, and another instance takes up to {wanted}");
    let cure = if wanted > 1 {
        "set IMAGECACHED_DATABASE_CONNECTIONS=1, let the app use fewer, or raise the plan"
    } else {
        "let the app use fewer, or raise the plan"
    };
    Finding::warning("database.connections", message).cure(cure)
}

fn judge_packet(packet: u64, inline_limit: u64) -> Finding {
    let needed = encoded_len(inline_limit).max(CHUNK_BYTES as u64) + PACKET_MARGIN;
    let (has, needs) = (ByteSize(packet), ByteSize(needed));
    if packet >= needed {
        let message = format!("max_allowed_packet is {has}, and {needs} are needed");
        return Finding::ok("database.packet", message);
    }
    let message = format!(
        "max_allowed_packet is {has}, and {needs} are needed: larger uploads cannot be stored"
    );
    let raise = format!("SET GLOBAL max_allowed_packet = {};", needed.next_multiple_of(1 << 20));
    let chunks_fit = packet >= CHUNK_BYTES as u64 + PACKET_MARGIN;
    let fitting = (packet.saturating_sub(PACKET_MARGIN) / 4 * 3) >> 10;
    let cure = if chunks_fit {
        format!(
            "{raise} (and in the server's my.cnf), or set IMAGECACHED_INLINE_LIMIT={fitting}KiB"
        )
    } else {
        format!("{raise} (and in the server's my.cnf)")
    };
    Finding::error("database.packet", message).cure(cure)
}

/// Who a right is given to, as the database's own language writes it.
enum Grantee {
    Postgres(String),
    MySql { user: String, database: String },
    File,
}

impl Grantee {
    fn of(target: &Target) -> Self {
        let (Target::Postgres(url) | Target::MySql(url)) = target else { return Self::File };
        let url = url::Url::parse(url).ok();
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
        };
        let user = url.as_ref().map(|url| decoded(url.username())).unwrap_or_default();
        let database = url.map(|url| decoded(url.path().trim_start_matches('/')));
        match target {
            Target::MySql(_) => Self::MySql { user, database: database.unwrap_or_default() },
            _ => Self::Postgres(user),
        }
    }

    /// The statement that gives `right`, such as `INSERT on image_cache`.
    fn grant(&self, right: &str) -> String {
        let (what, on) = right.split_once(" on ").unwrap_or((right, ""));
        match self {
            Self::Postgres(user) => {
                let on = match on.strip_prefix("schema ") {
                    Some("(none)") => {
                        return "CREATE SCHEMA public; or correct the role's search_path".into();
                    }
                    Some(schema) => format!("SCHEMA {}", quoted(schema, '"')),
                    None => on.to_owned(),
                };
                let user = if user.is_empty() { "PUBLIC".into() } else { quoted(user, '"') };
                format!("as the owner: GRANT {what} ON {on} TO {user};")
            }
            Self::MySql { user, database } => format!(
                "as root: GRANT {what} ON {}.{on} TO {}@'%'; (SELECT CURRENT_USER() tells the host)",
                quoted(database, '`'),
                quoted(user, '\'')
            ),
            Self::File => "give this user the right to write the SQLite file".into(),
        }
    }
}

fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(findings: impl IntoIterator<Item = Finding>) -> String {
        findings.into_iter().map(|finding| finding.to_string()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn grants_are_written_in_the_databases_own_words() {
        let postgres = Grantee::of(&Target::Postgres("postgres://sh%40p:x@h/db".into()));
        let mysql = Grantee::of(&Target::MySql("mysql://shop:x@h/db".into()));
        let grants = [
            postgres.grant("INSERT on image_cache"),
            postgres.grant("CREATE on schema public"),
            mysql.grant("INSERT on image_cache"),
        ];
        insta::assert_snapshot!(grants.join("\n"), @r#"
        as the owner: GRANT INSERT ON image_cache TO "sh@p";
        as the owner: GRANT CREATE ON SCHEMA "public" TO "sh@p";
        as root: GRANT INSERT ON `db`.image_cache TO 'shop'@'%'; (SELECT CURRENT_USER() tells the host)
        "#);
    }

    #[test]
    fn few_free_connections_are_told() {
        insta::assert_snapshot!(shown([
            judge_connections(5, 20, 2),
            judge_connections(19, 20, 2),
            judge_connections(20, 20, 1),
        ]), @r"
        ✓ ok       database.connections  5 of 20 in use, 15 free
        ! warning  database.connections  19 of 20 in use, 1 free, and another instance takes up to 2
                                         cure: set IMAGECACHED_DATABASE_CONNECTIONS=1, let the app use fewer, or raise the plan
        ! warning  database.connections  20 of 20 in use, 0 free, and another instance takes up to 1
                                         cure: let the app use fewer, or raise the plan
        ");
    }

    #[test]
    fn a_packet_too_small_has_two_cures() {
        insta::assert_snapshot!(shown([
            judge_packet(16 << 20, 5 << 20),
            judge_packet(4 << 20, 5 << 20),
            judge_packet(1 << 20, 5 << 20),
        ]), @r"
        ✓ ok       database.packet       max_allowed_packet is 16 MiB, and 6.7 MiB are needed
        ✗ error    database.packet       max_allowed_packet is 4 MiB, and 6.7 MiB are needed: larger uploads cannot be stored
                                         cure: SET GLOBAL max_allowed_packet = 7340032; (and in the server's my.cnf), or set IMAGECACHED_INLINE_LIMIT=3060KiB
        ✗ error    database.packet       max_allowed_packet is 1 MiB, and 6.7 MiB are needed: larger uploads cannot be stored
                                         cure: SET GLOBAL max_allowed_packet = 7340032; (and in the server's my.cnf)
        ");
        // The smaller inline limit that is proposed does fit.
        assert!(!judge_packet(4 << 20, 3_060 << 10).is_bad());
    }

    #[test]
    fn tables_are_made_by_whoever_may() {
        let missing = StoreError {
            operation: "check the tables in PostgreSQL".into(),
            trouble: Trouble::Schema,
            cause: "the tables are missing".into(),
            cure: Some("run `imagecached migrate`".into()),
        };
        insta::assert_snapshot!(shown([
            judge_tables(&missing, true),
            judge_tables(&missing, false)
        ]), @r"
        ! warning  database.tables       the tables are missing; the next start of `run` makes them
                                         cure: run `imagecached migrate`
        ✗ error    database.tables       the tables are missing
                                         cure: run `imagecached migrate`
        ");
    }
}
