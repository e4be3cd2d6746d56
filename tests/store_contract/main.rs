//! The contract of the store: one suite, held against every database it runs on.

mod app_file;
mod blind;
mod chunks;
mod connections;
mod entries;
mod history;
mod history_races;
mod index_pages;
mod ledger;
mod list_indexes;
mod lists;
mod places;
mod race;
mod relocate;
mod schema;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use imagecached::model::entry::{ChunkSet, Entry, IndexRow, NewEntry, NewPayload, PayloadKind};
use imagecached::model::version::{Leaving, Past, PastRow, Trash, Undeleted, Version, Why};
use imagecached::model::{Digest, FileStat, Timestamp, UploadPath, base64};
use imagecached::store::ledger::{LooseObject, Removal};
use imagecached::store::{
    self, Fetched, FetchedPayload, HistoryQuery, HistoryTotals, ListQuery, Options, Page,
    PayloadPlace, Purged, Relocation, Sort, Spot, Store, StoreError, Stored, Target, Through,
    Totals, Touch, Trouble, Which,
};
use places::Place;
use sqlx::{ConnectOptions, Executor};
use support::database::{Database, Kind};
use support::noise::noise;

/// Makes a test of every case for every database; of a case that is about payloads, one for every kind of
/// payload.
macro_rules! contract {
    (@on $module:ident, $kind:expr, $place:tt, $($case:ident)*) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let database = Database::fresh($kind).await;
                    let store = database.open();
                    store.migrate().await.unwrap();
                    contract!(@call $case, &*store, &database, $place);
                    store.close().await;
                    database.remove().await;
                }
            )*
        }
    };
    (@call $case:ident, $store:expr, $database:expr, ()) => {
        crate::cases::$case($store, $database).await
    };
    (@call $case:ident, $store:expr, $database:expr, ($place:expr)) => {
        crate::cases::$case($store, $database, $place).await
    };
    (@everywhere $place:tt, $($case:ident)*) => {
        contract!(@on sqlite, Kind::Sqlite, $place, $($case)*);
        contract!(@on postgres, Kind::Postgres, $place, $($case)*);
        contract!(@on pgbouncer, Kind::PgBouncer, $place, $($case)*);
        contract!(@on mariadb, Kind::MariaDb, $place, $($case)*);
    };
    (for each payload: $($case:ident)*) => {
        mod inline {
            use super::*;
            contract!(@everywhere (Place::Inline), $($case)*);
        }
        mod one_chunk {
            use super::*;
            contract!(@everywhere (Place::OneChunk), $($case)*);
        }
        mod many_chunks {
            use super::*;
            contract!(@everywhere (Place::Chunks), $($case)*);
        }
        mod url {
            use super::*;
            contract!(@everywhere (Place::Url), $($case)*);
        }
    };
    (once: $($case:ident)*) => {
        contract!(@everywhere (), $($case)*);
    };
}

mod cases {
    pub use super::blind::*;
    pub use super::chunks::*;
    pub use super::connections::*;
    pub use super::entries::*;
    pub use super::history::*;
    pub use super::history_races::*;
    pub use super::ledger::*;
    pub use super::lists::*;
    pub use super::places::*;
    pub use super::race::*;
    pub use super::relocate::*;
    pub use super::schema::*;
}

contract! {
    for each payload:
    every_byte_comes_back
    the_same_content_is_not_written
    changed_content_replaces
    a_touch_changes_the_look_only
    an_owner_is_kept_until_another_is_given
    every_other_payload_takes_its_place
    a_payload_moves_and_all_else_stays
    removing_leaves_nothing
    two_instances_may_store_the_same_paths
    paths_that_are_not_new_are_noticed_among_new_ones
    a_cut_connection_is_replaced
    a_replaced_content_becomes_a_version
    a_delete_can_be_taken_back
}

contract! {
    once:
    migrating_again_changes_nothing
    eight_may_migrate_at_once
    missing_tables_are_told
    a_newer_schema_is_refused
    an_empty_file_has_data
    five_mebibytes_fit_into_a_row
    a_batch_of_300_is_stored_and_indexed_newest_first
    a_batch_of_all_kinds_and_sizes_comes_back
    a_column_of_another_type_keeps_no_batch_out
    chunks_are_written_read_and_discarded
    one_chunk_comes_with_its_entry
    replaced_chunks_are_removed
    a_set_that_is_not_needed_is_removed
    old_sets_without_entry_are_swept
    odd_paths_are_told_apart
    lists_are_filtered_and_sorted
    what_is_searched_for_stands_for_itself
    pages_by_id_meet_every_entry_once
    pages_of_every_order_meet_every_entry_once
    a_whole_list_is_gone_through
    a_page_goes_on_behind_an_entry_that_is_gone
    lists_read_no_payload
    growth_is_counted_by_day
    totals_count
    former_contents_count_as_room
    removing_takes_the_chunks_too
    the_database_tells_about_itself
    a_url_or_nothing_takes_the_place_of_bytes
    a_row_that_cannot_be_read_hides_no_other
    access_is_noted
    a_refused_value_is_told_and_the_rest_can_be_stored
    a_cache_has_one_name
    a_cache_of_the_first_version_is_upgraded
    a_claim_holds_a_removal_off
    a_removal_holds_claims_off
    an_object_that_an_entry_refers_to_stays
    a_removal_that_died_is_begun_again
    an_object_let_go_of_again_is_looked_at_again
    claims_end_after_two_days
    loose_objects_are_listed_oldest_first
    entries_let_go_of_their_objects
    what_has_no_name_is_not_let_go_of
    claims_and_removals_exclude_each_other
    only_what_was_read_is_moved
    a_large_chunk_set_is_moved_away_whole
    put_waits_for_a_put_under_way
    what_is_no_other_content_makes_no_version
    the_oldest_of_too_many_versions_goes_whole
    an_undelete_takes_nothing_s_place
    an_entry_with_a_new_content_does_not_leave
    what_the_history_refers_to_stays
    a_purge_goes_by_age
    the_history_is_listed_newest_first
    a_past_state_is_told_as_far_as_it_is_known
    instances_that_meet_lose_no_content
    only_one_of_two_undeletes_it
    a_cut_makes_no_second_version
}

fn path(text: &str) -> UploadPath {
    UploadPath::parse(text).unwrap()
}

fn entry(at: &str, bytes: &[u8], mtime_ns: i64) -> NewEntry {
    NewEntry {
        path: path(at),
        owner: None,
        rewrite: false,
        mime: "image/jpeg".into(),
        sha256: Digest::of(bytes),
        stat: FileStat { size: bytes.len() as u64, mtime_ns, ctime_ns: 0, inode: 1, mode: 0o640 },
        payload: NewPayload::Inline(base64::encode(bytes)),
    }
}

fn chunked(at: &str, bytes: &[u8], payload: NewPayload) -> NewEntry {
    NewEntry { payload, ..entry(at, bytes, 1) }
}

/// An entry whose bytes are in an object store.
fn remote(at: &str, bytes: &[u8]) -> NewEntry {
    NewEntry { payload: NewPayload::Url(url(bytes)), ..entry(at, bytes, 1) }
}

/// Where an object store has these bytes.
fn url(bytes: &[u8]) -> String {
    format!("s3://shop/{}", Digest::of(bytes))
}

async fn index(store: &dyn Store) -> Vec<IndexRow> {
    let mut rows = Vec::new();
    store.index(&mut |row| rows.push(row)).await.unwrap();
    rows
}

async fn stored(store: &dyn Store, at: &str) -> Stored {
    let found = store.stored(&[path(at)]).await.unwrap();
    found.get(&path(at)).unwrap_or_else(|| panic!("{at} is not stored")).clone()
}

/// Takes payloads as they are fetched, and reads the rest of them.
#[derive(Default)]
struct Taken {
    read: HashMap<i64, (String, Vec<u8>)>,
    sets: Vec<(i64, ChunkSet)>,
}

impl Taken {
    fn take(&mut self, fetched: &Fetched<'_>) {
        let mut bytes = Vec::new();
        match fetched.payload {
            FetchedPayload::Inline(text) => base64::decode_into(text, &mut bytes).unwrap(),
            FetchedPayload::OneChunk(chunk) => bytes = chunk.to_vec(),
            FetchedPayload::Chunks(set) => self.sets.push((fetched.id, set)),
            FetchedPayload::Url(url) => bytes = url.as_bytes().to_vec(),
            FetchedPayload::None => panic!("no payload"),
        }
        self.read.insert(fetched.id, (fetched.original_path.to_owned(), bytes));
    }

    /// The bytes by id, with their path.
    async fn whole(mut self, store: &dyn Store) -> HashMap<i64, (String, Vec<u8>)> {
        for (id, set) in self.sets {
            let (_, bytes) = self.read.get_mut(&id).unwrap();
            for seq in 0.. {
                match store.read_chunk(set, seq).await.unwrap() {
                    Some(chunk) => bytes.extend(chunk),
                    None => break,
                }
            }
        }
        self.read
    }
}

/// The bytes of every entry, read back the way a restore does it; of one in an object store, its URL.
async fn contents(store: &dyn Store) -> HashMap<String, Vec<u8>> {
    let ids: Vec<i64> = index(store).await.iter().map(|row| row.id).collect();
    let mut taken = Taken::default();
    store.fetch(&ids, &mut |fetched| taken.take(&fetched)).await.unwrap();
    taken.whole(store).await.into_values().collect()
}
async fn id(store: &dyn Store, at: &str) -> i64 {
    stored(store, at).await.id
}

async fn chunk_rows(database: &Database) -> i64 {
    database.numbers("SELECT count(*) FROM image_cache_chunk").await[0]
}
