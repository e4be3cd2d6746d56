//! The calls about objects, with their time limit.

use std::sync::Arc;

use async_trait::async_trait;

use super::TimeLimited;
use crate::model::Digest;
use crate::store::ledger::{Claim, LooseObject, ObjectLedger, Removal};
use crate::store::{Store, StoreError};

#[async_trait]
impl ObjectLedger for TimeLimited {
    async fn identity(&self) -> Result<String, StoreError> {
        let call = |store: Arc<dyn Store>| async move { store.identity().await };
        self.limited("read the name of the cache", call).await
    }

    async fn whereabouts(&self) -> Result<String, StoreError> {
        let call = |store: Arc<dyn Store>| async move { store.whereabouts().await };
        self.limited("ask the server which one it is", call).await
    }

    async fn claim(&self, content: Digest) -> Result<Option<Claim>, StoreError> {
        self.limited("claim an object", |store| async move { store.claim(content).await }).await
    }

    async fn release(&self, claims: &[Claim]) -> Result<(), StoreError> {
        let operation = format!("release {} objects", claims.len());
        self.limited(&operation, |store| async move { store.release(claims).await }).await
    }

    async fn loosen(&self, objects: &[(Digest, String)]) -> Result<(), StoreError> {
        let operation = format!("note {} loose objects", objects.len());
        self.limited(&operation, |store| async move { store.loosen(objects).await }).await
    }

    async fn loose(&self, most: u32) -> Result<Vec<LooseObject>, StoreError> {
        let call = |store: Arc<dyn Store>| async move { store.loose(most).await };
        self.limited("look for loose objects", call).await
    }

    async fn begin_removal(&self, object: &LooseObject) -> Result<Removal, StoreError> {
        let call = |store: Arc<dyn Store>| async move { store.begin_removal(object).await };
        self.limited("begin to remove an object", call).await
    }

    async fn end_removal(&self, object: &LooseObject) -> Result<(), StoreError> {
        let call = |store: Arc<dyn Store>| async move { store.end_removal(object).await };
        self.limited("end the removal of an object", call).await
    }
}
