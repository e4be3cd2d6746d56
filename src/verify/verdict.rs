//! What is to be done about one entry, decided from what the database and the disk have: pure.

use crate::payload::check::Condition;
use crate::payload::damage::Reason;
use crate::verify::disk::OnDisk;

/// What the two sides of an entry are together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The payload is the file's, and so is the file on disk, where it was looked at.
    Sound,
    /// The entry has no data, as the settings want it for large files.
    LeftOut,
    /// Removed or replaced meanwhile.
    Changed,
    /// The payload cannot be read from here just now, or the file cannot be compared: why.
    OutOfReach(String),
    /// The payload is damaged, and the file on disk is the one that was stored.
    Damaged(Reason),
    /// The payload is damaged, and another file is on disk.
    DamagedOther(Reason),
    /// The payload is damaged, and nobody here has the bytes.
    Lost(Reason),
    /// The payload is sound, and its file is not on disk.
    Missing,
    /// The payload is sound, and a file is on disk that is not stored yet.
    NotStored,
    /// The payload is sound, and the file on disk has other bytes, of the same size and mtime.
    Differs,
}

/// How it can be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// The stored content is on disk: it is stored once more.
    StoreAgain,
    /// Another content is on disk: it is stored, as any change is.
    Capture,
    /// The file is restored.
    Restore,
}

impl Verdict {
    /// Whether there is nothing to do or to tell.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        matches!(self, Self::Sound | Self::LeftOut | Self::Changed)
    }

    /// How it can be mended, if it can.
    #[must_use]
    pub fn cure(&self) -> Option<Cure> {
        match self {
            Self::Damaged(_) => Some(Cure::StoreAgain),
            Self::DamagedOther(_) | Self::NotStored => Some(Cure::Capture),
            Self::Missing => Some(Cure::Restore),
            _ => None,
        }
    }
}

/// Judges one entry. `is_taken`: the settings take files of this path; `is_kept`: they keep the bytes of
/// files of this size.
pub fn judge(condition: &Condition, on_disk: OnDisk, is_taken: bool, is_kept: bool) -> Verdict {
    match condition {
        Condition::Changed => Verdict::Changed,
        Condition::OutOfReach(why) => Verdict::OutOfReach(why.clone()),
        Condition::Damaged(Reason::NoData) if !is_kept => Verdict::LeftOut,
        Condition::Damaged(reason) => match on_disk {
            // Storing it would throw away what is left of the bytes, and keep none.
            _ if !is_kept => Verdict::Lost(reason.clone()),
            OnDisk::Same => Verdict::Damaged(reason.clone()),
            // The disk has the only content that there is; who writes it just now is waited for.
            OnDisk::Other { .. } | OnDisk::Busy => Verdict::DamagedOther(reason.clone()),
            OnDisk::NotAsked | OnDisk::Absent | OnDisk::Unreadable(_) => {
                Verdict::Lost(reason.clone())
            }
        },
        Condition::Sound => match on_disk {
            // What is being written is the capture's.
            OnDisk::NotAsked | OnDisk::Same | OnDisk::Busy => Verdict::Sound,
            OnDisk::Absent => Verdict::Missing,
            OnDisk::Other { same_look: true } => Verdict::Differs,
            OnDisk::Other { same_look: false } if !is_taken => Verdict::Sound,
            OnDisk::Other { same_look: false } => Verdict::NotStored,
            OnDisk::Unreadable(why) => Verdict::OutOfReach(why),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(condition: &Condition, on_disk: OnDisk) -> Verdict {
        judge(condition, on_disk, true, true)
    }

    #[test]
    fn only_what_is_certain_is_mended() {
        let damaged = Condition::Damaged(Reason::Chunk(1));
        let cure = |condition: &Condition, on_disk| taken(condition, on_disk).cure();
        assert_eq!(cure(&damaged, OnDisk::Same), Some(Cure::StoreAgain));
        assert_eq!(cure(&damaged, OnDisk::Other { same_look: true }), Some(Cure::Capture));
        assert_eq!(cure(&damaged, OnDisk::Absent), None);
        assert_eq!(cure(&damaged, OnDisk::NotAsked), None);
        assert_eq!(cure(&Condition::Sound, OnDisk::Absent), Some(Cure::Restore));
        assert_eq!(
            cure(&Condition::Sound, OnDisk::Other { same_look: false }),
            Some(Cure::Capture)
        );
        // Either may be the right one: bytes that changed without a trace, or a tool that hides its traces.
        assert_eq!(taken(&Condition::Sound, OnDisk::Other { same_look: true }), Verdict::Differs);
        assert_eq!(Verdict::Differs.cure(), None);
        let away = Condition::OutOfReach("away".into());
        assert_eq!(cure(&away, OnDisk::Absent), None);
    }

    #[test]
    fn the_settings_are_kept() {
        let other = OnDisk::Other { same_look: false };
        assert_eq!(judge(&Condition::Sound, other.clone(), false, true), Verdict::Sound);
        let without = Condition::Damaged(Reason::NoData);
        assert_eq!(judge(&without, other.clone(), true, false), Verdict::LeftOut);
        let damaged = Condition::Damaged(Reason::Chunk(1));
        assert_eq!(judge(&damaged, OnDisk::Same, true, false), Verdict::Lost(Reason::Chunk(1)));
    }
}
