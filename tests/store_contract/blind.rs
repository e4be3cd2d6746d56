//! Lists do not read payloads: they answer the same where nobody can, or where the server would tell of it.

use std::fs;

use super::*;

/// Long enough to be kept apart from its row, in every database.
const PAYLOAD: usize = 100_000;

pub async fn lists_read_no_payload(store: &dyn Store, database: &Database) {
    for n in 0..3_u8 {
        store.put(&[entry(&format!("{n}.jpg"), &noise(u64::from(n), PAYLOAD), 1)]).await.unwrap();
    }
    let id = id(store, "1.jpg").await;
    match database.kind {
        Kind::Postgres | Kind::PgBouncer => {
            let stored = payload_pages(database).await;
            list_all(store).await;
            assert_eq!(payload_pages(database).await, stored, "pages of payloads were touched");
            store.fetch(&[id], &mut |_| ()).await.unwrap();
            assert!(payload_pages(database).await > stored, "nobody would have noticed");
        }
        Kind::MariaDb => {
            let expected = list_all(store).await;
            let blind = Blind::make(database).await;
            assert_eq!(list_all(&*blind.store).await, expected);
            blind.store.fetch(&[id], &mut |_| ()).await.expect_err("it may not read payloads");
            blind.remove(database).await;
        }
        Kind::Sqlite => {
            let expected = list_all(store).await;
            store.close().await;
            database.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
            ruin_payloads(database);
            let ruined = database.open();
            assert_eq!(list_all(&*ruined).await, expected);
            ruined.fetch(&[id], &mut |_| ()).await.expect_err("its payload is ruined");
            ruined.close().await;
        }
    }
}

/// What lists of all kinds answer, and the figures.
async fn list_all(store: &dyn Store) -> Vec<Page> {
    let mut answers = Vec::new();
    for (sort, descending) in [
        (Sort::Path, false),
        (Sort::Id, true),
        (Sort::Size, true),
        (Sort::Created, false),
        (Sort::Updated, true),
        (Sort::Accessed, false),
    ] {
        let all = || ListQuery { sort, descending, limit: Some(2), ..ListQuery::default() };
        let search = Some("jpg".to_owned());
        for query in [
            all(),
            ListQuery { search: search.clone(), ..all() },
            ListQuery { mime: Some("image/".into()), ..all() },
            ListQuery { payload: Some(PayloadKind::Inline), ..all() },
            ListQuery { has_data: Some(false), search, ..all() },
            ListQuery { not_accessed_days: Some(1), ..all() },
            ListQuery { path: Some(path("1.jpg")), ..all() },
            ListQuery { ids: Some(vec![1, 2]), ..all() },
        ] {
            // Not counted; counted; more than are counted.
            for count_up_to in [None, Some(100), Some(1)] {
                let query = ListQuery { count_up_to, ..query.clone() };
                let page = store.page(&query).await.unwrap();
                let next = page.next.clone();
                answers.push(page);
                if next.is_some() {
                    let after = ListQuery { after: next.clone(), ..query.clone() };
                    answers.push(store.page(&after).await.unwrap());
                    let before = ListQuery { before: next, ..query };
                    answers.push(store.page(&before).await.unwrap());
                }
            }
        }
    }
    assert_eq!(store.totals().await.unwrap().inline, 3);
    assert_eq!(store.growth(9).await.unwrap()[0].entries, 3);
    answers
}

/// How often PostgreSQL has touched a page of those that it keeps payloads in (TOAST). Its processes tell
/// when they end.
async fn payload_pages(database: &Database) -> i64 {
    database.cut_connections().await;
    let others = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while database.numbers(others).await != [0] {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let touched = "SELECT coalesce(toast_blks_hit + toast_blks_read, 0)
        FROM pg_statio_user_tables WHERE relname = 'image_cache'";
    database.numbers(touched).await[0]
}

/// A store whose user may read every column but the payload.
struct Blind {
    user: String,
    store: Arc<dyn Store>,
}

impl Blind {
    async fn make(database: &Database) -> Self {
        let Target::MySql(url) = &database.target else { panic!("a server with such rights") };
        let mut url = ::url::Url::parse(url).unwrap();
        // Users are the whole server's; the name of the database is nobody else's.
        let name = url.path().trim_start_matches('/').replace("imagecached_test", "blind");
        let user = format!("'{name}'@'%'");
        database.run(&format!("CREATE USER {user}")).await;
        let grant = format!(
            r#"BEGIN NOT ATOMIC
                SELECT CONCAT("GRANT SELECT (", GROUP_CONCAT(column_name), ") ON image_cache TO {user}")
                    INTO @image_cache_grant FROM information_schema.columns
                    WHERE table_schema = DATABASE() AND table_name = 'image_cache'
                        AND column_name <> 'image_data';
                EXECUTE IMMEDIATE @image_cache_grant;
            END"#
        );
        database.run(&grant).await;
        url.set_username(&name).unwrap();
        let patience = Duration::from_secs(30);
        let options = Options {
            connections: 2,
            acquire_timeout: patience,
            call_timeout: patience,
            versions: 0,
        };
        Self { user, store: store::open(&Target::MySql(url.into()), &options).unwrap() }
    }

    async fn remove(self, database: &Database) {
        self.store.close().await;
        database.run(&format!("DROP USER {}", self.user)).await;
    }
}

/// Fills the pages of an SQLite file that hold nothing but a part of a payload with what cannot be read.
fn ruin_payloads(database: &Database) {
    const PAGE: usize = 16_384;
    let mut bytes = fs::read(database.file()).unwrap();
    let mut ruined = 0;
    for page in bytes.chunks_exact_mut(PAGE) {
        // The number of the page that goes on with it, and then base64.
        let text = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        if page[4..PAGE - 64].iter().all(text) {
            page.fill(0xff);
            ruined += 1;
        }
    }
    assert!(ruined >= 3 * (PAYLOAD / PAGE), "{ruined} pages of payloads");
    fs::write(database.file(), bytes).unwrap();
}
