//! The settings about deletes: what they mean, what brakes them, how long they can be taken back.

use std::time::Duration;

use super::error::SettingsError;
use super::reader::Reader;
use crate::model::brake::Brake;

/// Nothing is kept for longer: ten years.
pub(super) const LONGEST: Duration = Duration::from_secs(3_650 * 24 * 3_600);

/// Most deletes that may count within the grace time, whatever is set.
const MOST: u32 = 1_000_000;

/// What it means when a file is deleted while the daemon watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// Nothing.
    Keep,
    /// Its entry goes to the trash.
    Trash,
}

/// The settings `on_delete`, `delete_…` and `keep_deleted`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeleteSettings {
    pub on_delete: OnDelete,
    /// How long a file must stay deleted before that counts.
    pub grace: Duration,
    /// The settings `delete_brake_share` and `delete_brake_count`.
    pub brake: Brake,
    /// How long the trash is kept; zero: there is none.
    pub keep: Duration,
}

impl DeleteSettings {
    /// Whether a file that the app deletes may cost its entry the place: only where that can be taken
    /// back.
    #[must_use]
    pub fn follows_the_app(&self) -> bool {
        self.on_delete == OnDelete::Trash && !self.keep.is_zero()
    }
}

pub(super) fn read(reader: &mut Reader) -> Result<DeleteSettings, SettingsError> {
    let on_delete =
        reader.choice("on_delete", &[("keep", OnDelete::Keep), ("trash", OnDelete::Trash)])?;
    let grace = Duration::from_secs(1)..=Duration::from_secs(86_400);
    let grace = reader.duration("delete_grace", grace)?;
    let share = share(reader)?;
    let count = reader.number("delete_brake_count", 1..=MOST)?;
    let keep = reader.duration("keep_deleted", Duration::ZERO..=LONGEST)?;
    Ok(DeleteSettings { on_delete, grace, brake: Brake { share, count: count.into() }, keep })
}

/// A share of all, written in percent.
fn share(reader: &mut Reader) -> Result<f64, SettingsError> {
    let given = reader.take("delete_brake_share")?;
    let text = given.text()?;
    let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
    match percent {
        Some(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err(given.refuse("is no share", "write 0% to 100%, such as 10%")),
    }
}
