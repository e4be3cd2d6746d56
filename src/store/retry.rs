//! One unit of work, done again where that is harmless and likely to help.

use std::time::{Duration, Instant};

use sqlx::{Connection, Database, Pool, Result, Transaction};

use crate::store::error::{is_conflict, is_cut, is_full_house};

/// How often two writers may meet before the caller hears of it.
const CONFLICTS: u32 = 8;

/// Does `work`, which changes everything or nothing and may be done twice: again at once when its
/// connection was cut, and after a moment when the database has undone it in favour of another writer.
pub(super) async fn unit<T, F>(mut work: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let (mut cuts, mut conflicts) = (0, 0);
    loop {
        match work().await {
            Err(error) if is_cut(&error) && cuts < 1 => cuts += 1,
            Err(error) if is_conflict(&error) && conflicts < CONFLICTS => {
                conflicts += 1;
                tokio::time::sleep(Duration::from_millis(5) * conflicts).await;
            }
            done => return done,
        }
    }
}

/// Begins a transaction. Idle connections that a server or a proxy has cut meanwhile are passed over:
/// each fails at once and is thrown away, and the last resort is a new one.
pub(super) async fn begin<DB: Database>(pool: &Pool<DB>) -> Result<Transaction<'static, DB>> {
    begin_with(pool, "BEGIN").await
}

/// As [`begin`], with a statement of its own.
pub(super) async fn begin_with<DB: Database>(
    pool: &Pool<DB>,
    statement: &'static str,
) -> Result<Transaction<'static, DB>> {
    let mut passed = 0;
    loop {
        match begin_on_any(pool, statement).await {
            Err(error) if is_cut(&error) && passed < pool.options().get_max_connections() => {
                passed += 1;
            }
            begun => return begun,
        }
    }
}

/// Who waits for a new connection looks this often whether one of those that are open will do.
const LOOK_FOR_IDLE: Duration = Duration::from_millis(100);

/// Begins a transaction on a connection of the pool, or on a new one, whichever comes first.
///
/// The pool by itself waits for a new connection whatever becomes free meanwhile. Where the app has left
/// us one connection of the two that we may take, every second caller would wait in vain for the other.
async fn begin_on_any<DB: Database>(
    pool: &Pool<DB>,
    statement: &'static str,
) -> Result<Transaction<'static, DB>> {
    let began = Instant::now();
    let idle = async || loop {
        tokio::time::sleep(LOOK_FOR_IDLE).await;
        if pool.num_idle() > 0 {
            return;
        }
    };
    loop {
        let begun = tokio::select! {
            begun = pool.begin_with(statement) => begun,
            () = idle() => match pool.try_begin_with(statement).await {
                Ok(None) => continue,
                Ok(Some(transaction)) => Ok(transaction),
                Err(error) => Err(error),
            },
        };
        let may_wait = pool.size() > 0 && began.elapsed() < pool.options().get_acquire_timeout();
        match begun {
            Err(error) if is_full_house(&error) && may_wait => idle().await,
            begun => return begun,
        }
    }
}

/// A connection that has idled for longer than this is asked whether it still stands.
const FRESH: Duration = Duration::from_secs(5);

/// How long it may take to answer. A proxy that has cut a connection without a word never does, and
/// several connections may have to be asked before an upload can go on.
const ANSWER: Duration = Duration::from_secs(1);

/// Whether a connection that comes out of the pool still leads to the server.
pub(super) async fn answers<C: Connection>(connection: &mut C, idle_for: Duration) -> Result<bool> {
    if idle_for < FRESH {
        return Ok(true);
    }
    Ok(matches!(tokio::time::timeout(ANSWER, connection.ping()).await, Ok(Ok(()))))
}
