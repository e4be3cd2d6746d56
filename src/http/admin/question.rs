//! The page that asks before something is done with what was selected: what it says whatever that is.

use crate::http::{Problem, Site};
use crate::model::Entry;

use super::fields::Fields;
use super::frame::{Frame, way_back};
use super::text::Counted;

/// As many of what was selected are named.
pub const NAMED: usize = 50;

/// What is asked. `question.html` is the form that answers it.
pub struct Question {
    pub title: String,
    /// What will happen, and what will not.
    pub explanation: &'static str,
    /// The list whose deed it is: `entries` or `trash`.
    pub list: &'static str,
    pub deed: &'static str,
    pub button: String,
    pub is_dangerous: bool,
    /// Nothing can be done with them here.
    pub impossible: bool,
    pub bytes: String,
    pub ids: Vec<i64>,
    /// That there are more than are named.
    pub more: Option<String>,
    pub back: String,
}

/// The words for one deed: title, explanation and button.
pub type Words = (Counted, &'static str, Counted);

impl Question {
    /// Asks whether `deed` is to be done with these.
    pub fn about<'e>(
        chosen: impl Iterator<Item = &'e Entry>,
        frame: &Frame,
        (title, explanation, button): Words,
        deed: &'static str,
        back: Back,
    ) -> Self {
        let (ids, sizes): (Vec<i64>, Vec<u64>) =
            chosen.map(|entry| (entry.id, entry.file_size)).unzip();
        let count = ids.len() as u64;
        let more = count.saturating_sub(NAMED as u64);
        Self {
            title: title(count),
            explanation,
            list: back.list,
            deed,
            button: button(count),
            is_dangerous: false,
            impossible: false,
            bytes: frame.language.size(sizes.iter().sum()),
            ids,
            more: (more > 0).then(|| (frame.t.and_more)(more)),
            back: back.address,
        }
    }
}

/// The page on which something was selected.
pub struct Back {
    list: &'static str,
    pub address: String,
}

impl Back {
    /// As the form says; otherwise the list itself.
    pub fn read(site: &Site, fields: &Fields, list: &'static str) -> Self {
        let address = match fields.get("back") {
            Some(back) => way_back(site, Some(back)),
            None => format!("{}/admin/{list}/", site.prefix),
        };
        Self { list, address }
    }
}

/// The ids that were selected, each once, the smallest first.
///
/// # Errors
/// When one of them is no number, or there are more than `most`.
pub fn selected_ids(fields: &Fields, most: usize) -> Result<Vec<i64>, Problem> {
    let mut ids = fields.numbers::<i64>("id")?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > most {
        return Err(Problem::bad_request(format!("select at most {most} entries at a time")));
    }
    Ok(ids)
}
