//! `DELETE entries/{id}/`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::cleanup::{Candidates, carry_out};
use crate::http::Problem;
use crate::http::api::Api;
use crate::http::api::ask::{Asked, Id, Nothing, Refusals};
use crate::http::api::cleanup::refused;
use crate::http::api::entries::find;
use crate::http::api::jobs::{Kind, Outcome};
use crate::objects::Pace;

/// Removes an entry, and its object once nothing else refers to it. A file on disk stays, and the next scan
/// stores it again.
#[utoipa::path(
    delete,
    path = "/entries/{id}/",
    tag = "entries",
    params(("id" = i64, Path, description = "The entry.")),
    security(("token" = [])),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is no such entry.", body = Problem,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn remove(
    State(api): State<Arc<Api>>,
    Asked(Nothing {}): Asked<Nothing>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let entries = vec![find(&api.site, id).await?];
    let candidates = Candidates { entries, ..Candidates::default() };
    carry_out(&*api.site.store, &candidates).await.map_err(refused)?;
    api.remove_loose_objects();
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    /// Removes the objects that no entry refers to any more, behind the answer. What is left over, the
    /// daemon removes within the hour.
    pub(super) fn remove_loose_objects(&self) {
        let objects = self.site.objects.clone().filter(|objects| objects.may_remove());
        let Some(objects) = objects else { return };
        self.jobs.begin(Kind::RemoveObjects, async move {
            objects.remove_loose(Pace::GENTLE).await;
            Ok(Outcome::default())
        });
    }
}
