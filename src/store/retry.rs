//! One unit of work, done again where that is harmless and likely to help.

use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Database, Pool, Result, SqlSafeStr, SqlStr, Transaction};

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
    begin_with(pool, "BEGIN".into_sql_str()).await
}

/// As [`begin`], with a statement of its own.
pub(super) async fn begin_with<DB: Database>(
    pool: &Pool<DB>,
    statement: SqlStr,
) -> Result<Transaction<'static, DB>> {
    let mut passed = 0;
    loop {
        // As `Pool::begin_with` does it, with a connection of our choice. A statement that is slow is waited for.
        let begun = match acquire(pool).await {
            Ok(connection) => Transaction::begin(connection, Some(statement.clone())).await,
            Err(error) => Err(error),
        };
        match begun {
            Err(error) if is_cut(&error) && passed < pool.options().get_max_connections() => {
                passed += 1;
            }
            begun => return begun,
        }
    }
}

/// A new connection may take so long before one that has become free is taken instead: longer than an ordinary one
/// takes, also after an [`ANSWER`] in vain. One that is given up in its making would count for a moment, beside
/// its successor.
const OPENING: Duration = Duration::from_secs(2);

/// How often it is looked whether a connection has become free.
const LOOK: Duration = Duration::from_millis(50);

/// Takes a connection of the pool that is free, or becomes free, or a new one.
///
/// The pool by itself waits for a new connection whatever becomes free meanwhile. Where the app has left
/// us one connection of the two that we may take, every second caller would wait in vain for the other.
async fn acquire<DB: Database>(pool: &Pool<DB>) -> Result<PoolConnection<DB>> {
    let began = Instant::now();
    let one_is_free = async |from: Duration| {
        tokio::time::sleep(from).await;
        while pool.num_idle() == 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    loop {
        let acquired = tokio::select! {
            acquired = pool.acquire() => acquired,
            () = one_is_free(OPENING) => continue,
        };
        let left = pool.options().get_acquire_timeout().saturating_sub(began.elapsed());
        match acquired {
            Err(error) if is_full_house(&error) && pool.size() > 0 && !left.is_zero() => {
                // In vain, the next try tells.
                let _ = tokio::time::timeout(left, one_is_free(LOOK)).await;
            }
            acquired => return acquired,
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
