//! `DELETE entries/{id}/`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::cleanup::{Candidates, carry_out};
use crate::http::Problem;
use crate::http::api::Api;
use crate::http::api::ask::{Asked, Id, Refusals};
use crate::http::api::entries::find;
use crate::http::api::jobs::{Kind, Outcome};
use crate::objects::Pace;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct How {
    /// Not into the trash: it cannot be taken back.
    #[serde(default)]
    #[param(default = false)]
    for_good: bool,
}

/// Moves an entry to the trash, where it is kept as long as the setting `keep_deleted` says; or removes it for good,
/// and its object once nothing else refers to it. A file on disk stays, and is stored again within the hour.
#[utoipa::path(
    delete,
    path = "/entries/{id}/",
    tag = "entries",
    params(("id" = i64, Path, description = "The entry."), How),
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
    Asked(How { for_good }): Asked<How>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let entries = vec![find(&api.site, id).await?];
    let candidates = Candidates { entries, ..Candidates::default() };
    let to = api.site.keeping.destination(for_good);
    carry_out(&*api.site.store, &candidates, to).await?;
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
