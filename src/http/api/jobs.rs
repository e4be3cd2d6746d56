//! Runs that may take long: one of a kind at a time, and who asks for another joins the one under way.
//!
//! A run goes on when its client goes away, and can be asked for by its name for a while after its end.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::http::api::ask::{Asked, Nothing, Refusals};
use crate::http::api::{Api, now};
use crate::http::{Problem, Restored, Tally};
use crate::model::Timestamp;

/// Runs that have ended are kept so many.
const KEPT: usize = 50;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    CacheAll,
    Restore,
    /// Objects of an object store that no entry refers to any more are removed.
    RemoveObjects,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    Running,
    Done,
    Failed,
}

/// What a run over the upload directory has done with its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cached {
    pub cached: u64,
    pub unchanged: u64,
    pub skipped: u64,
    pub failed: u64,
    /// Some of the files that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

impl From<Tally> for Cached {
    fn from(tally: Tally) -> Self {
        let Tally { cached, unchanged, skipped, failed, examples } = tally;
        Self { cached, unchanged, skipped, failed, examples }
    }
}

/// What a restore has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PutBack {
    /// Files that were missing and are there again.
    pub restored: u64,
    pub bytes: u64,
    /// Files that were there.
    pub present: u64,
    /// Entries whose bytes are not those that were stored.
    pub damaged: u64,
    /// Entries that cannot become a file here.
    pub refused: u64,
    pub without_data: u64,
    /// Not restored, since the disk is full or a store is away.
    pub left: u64,
    /// Why they are left. A restore of everything is tried again by itself until none is, as the status says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

impl From<Restored> for PutBack {
    fn from(restored: Restored) -> Self {
        let Restored { restored, bytes, present, damaged, refused, without_data, left, stopped } =
            restored;
        Self { restored, bytes, present, damaged, refused, without_data, left, stopped }
    }
}

/// How a run ended: `None` in both where there is nothing to count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    pub cached: Option<Cached>,
    pub put_back: Option<PutBack>,
}

/// A run, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Job {
    /// Its name, for `jobs/{id}/`.
    pub id: String,
    pub kind: Kind,
    pub state: Progress,
    /// By this machine's clock.
    #[schema(example = "2026-05-06T07:08:09Z")]
    pub began_at: String,
    pub ended_at: Option<String>,
    /// Of a run that stores.
    pub cached: Option<Cached>,
    /// Of a run that restores.
    pub restored: Option<PutBack>,
    /// Why it failed, and what to do.
    pub error: Option<String>,
}

type Ended = Option<(Timestamp, Result<Outcome, String>)>;

/// A run.
pub struct Run {
    id: u64,
    kind: Kind,
    began: Timestamp,
    ended: watch::Sender<Ended>,
}

/// The runs of this process.
#[derive(Default)]
pub struct Jobs {
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    begun: u64,
    kept: VecDeque<Arc<Run>>,
}

impl Jobs {
    /// Begins a run, or joins the one of this kind that is under way.
    pub fn begin<W>(&self, kind: Kind, work: W) -> Arc<Run>
    where
        W: Future<Output = Result<Outcome, String>> + Send + 'static,
    {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let same = runs.kept.iter().find(|run| run.kind == kind && run.ended.borrow().is_none());
        if let Some(run) = same {
            return run.clone();
        }
        runs.begun += 1;
        let ended = watch::Sender::new(None);
        let run = Arc::new(Run { id: runs.begun, kind, began: now(), ended });
        // Those under way stay: there is one of each kind at most.
        while runs.kept.len() >= KEPT
            && let Some(oldest) = runs.kept.iter().position(|run| run.ended.borrow().is_some())
        {
            runs.kept.remove(oldest);
        }
        runs.kept.push_back(run.clone());
        let told = run.clone();
        tokio::spawn(async move {
            let fault =
                |_| Err("a fault in imagecached, noted in its log; please report it".into());
            let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(fault);
            told.ended.send_replace(Some((now(), outcome)));
        });
        run
    }

    fn find(&self, id: u64) -> Option<Arc<Run>> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.kept.iter().find(|run| run.id == id).cloned()
    }
}

impl Run {
    /// Waits for its end.
    ///
    /// # Errors
    /// Why it failed, as a problem.
    pub async fn end(&self) -> Result<Outcome, Problem> {
        let mut ended = self.ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await;
        let ended = ended.expect("the sender is in our own hands").clone();
        let (_, outcome) = ended.expect("it was waited for");
        outcome.map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why))
    }

    /// As it is now.
    pub fn told(&self) -> Job {
        let ended = self.ended.borrow().clone();
        let (state, outcome, error) = match &ended {
            None => (Progress::Running, Outcome::default(), None),
            Some((_, Ok(outcome))) => (Progress::Done, outcome.clone(), None),
            Some((_, Err(why))) => (Progress::Failed, Outcome::default(), Some(why.clone())),
        };
        Job {
            id: self.id.to_string(),
            kind: self.kind,
            state,
            began_at: self.began.to_string(),
            ended_at: ended.map(|(at, _)| at.to_string()),
            cached: outcome.cached,
            restored: outcome.put_back,
            error,
        }
    }

    /// 202, and where to ask for it.
    pub fn accepted(&self, prefix: &str) -> Response {
        let place = format!("{prefix}/jobs/{}/", self.id);
        (StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(self.told())).into_response()
    }
}

/// A run that was begun with `wait=false`, or by anybody. The last fifty are kept.
#[utoipa::path(
    get,
    path = "/jobs/{id}/",
    tag = "runs",
    params(("id" = String, Path, description = "Its name, as the answer 202 gave it.")),
    responses(
        (status = 200, description = "The run, as it is now.", body = Job),
        (status = 404, description = "There is no such run, or it ended long ago.", body = Problem,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn job(
    State(api): State<Arc<Api>>,
    Asked(Nothing {}): Asked<Nothing>,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Json<Job>, Problem> {
    let Path(id) = path
        .map_err(|refused| Problem::bad_request(format!("this path: {}", refused.body_text())))?;
    let run = id.parse().ok().and_then(|id| api.jobs.find(id));
    let shown: String = id.chars().take(40).collect();
    run.map(|run| Json(run.told())).ok_or_else(|| Problem::not_found(format!("the job {shown:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_call_joins_and_the_ended_ones_are_bounded() {
        let jobs = Jobs::default();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let first = jobs.begin(Kind::CacheAll, async move {
            let _ = gone.await;
            Err("no directory".into())
        });
        let second = jobs.begin(Kind::CacheAll, async { unreachable!("it joins the first") });
        assert_eq!(first.id, second.id);
        assert_eq!(second.told().state, Progress::Running);
        for _ in 0..2 * KEPT {
            jobs.begin(Kind::Restore, async { Ok(Outcome::default()) }).end().await.unwrap();
        }
        assert!(jobs.find(first.id).is_some(), "it is under way");
        assert_eq!(jobs.runs.lock().unwrap().kept.len(), KEPT);
        go.send(()).unwrap();
        assert_eq!(first.end().await.unwrap_err().detail, "no directory");
        assert_eq!(first.told().error.as_deref(), Some("no directory"));
        let fault = jobs.begin(Kind::CacheAll, async { panic!("a fault of the test's own") });
        assert!(fault.end().await.is_err());
    }
}
