//! What came of verifying: figures, and each entry that is not as it should be with what to do.

use crate::model::shell_word::shell_word;
use crate::model::version::PastRow;
use crate::payload::check::Checked;
use crate::verify::{Cure, Former, Tell, Verdict};

/// What was found and done, in entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that were looked at, whatever was found.
    pub verified: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Without data, as the settings want it for large files.
    pub left_out: u64,
    /// Removed or replaced meanwhile.
    pub changed: u64,
    pub stored_again: u64,
    /// The file on disk was stored: it was another than the entry's.
    pub captured: u64,
    pub restored: u64,
    /// Could be mended, and nobody was asked to.
    pub mendable: u64,
    /// Payloads that are damaged, and were not mended.
    pub damaged: u64,
    /// Files that are not on disk, and could not be put back.
    pub missing: u64,
    /// Files that are not on disk, and that nobody was to put back: somebody may have deleted them.
    pub not_on_disk: u64,
    /// Files on disk that are not stored, and could not be.
    pub not_stored: u64,
    /// Files on disk that differ from the stored ones, without a sign which of them is meant.
    pub differs: u64,
    /// Could not be read or compared from here.
    pub out_of_reach: u64,
    /// What is kept of former contents.
    pub former: Former,
}

/// An entry, or a former one, that is not, or was not, as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub row: PastRow,
    /// As the database has it.
    pub path: String,
    /// `damaged`, `missing`, `not_stored`, `differs` or `out_of_reach`.
    pub what: &'static str,
    /// For people: what is wrong, and what was done.
    pub text: String,
    /// What to type when it was not mended.
    pub cure: Option<String>,
    pub mended: bool,
}

impl Report {
    /// Entries that were mended.
    #[must_use]
    pub fn mended(&self) -> u64 {
        self.stored_again + self.captured + self.restored
    }

    /// Entries that need a person.
    #[must_use]
    pub fn not_mended(&self) -> u64 {
        self.damaged + self.missing + self.not_stored + self.differs + self.mendable
    }

    /// Whether everything that was looked at is as it should be by now, former contents too: whoever counts on
    /// taking a change back has to hear that it cannot be done.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let former = &self.former;
        self.not_mended() + self.out_of_reach + former.damaged + former.out_of_reach == 0
    }

    /// Adds what came of other entries.
    pub fn add(&mut self, other: &Self) {
        // By its parts, so that a new figure cannot be forgotten here.
        let Self {
            verified,
            bytes,
            left_out,
            changed,
            stored_again,
            captured,
            restored,
            mendable,
            damaged,
            missing,
            not_on_disk,
            not_stored,
            differs,
            out_of_reach,
            former,
        } = other;
        self.verified += verified;
        self.bytes += bytes;
        self.left_out += left_out;
        self.changed += changed;
        self.stored_again += stored_again;
        self.captured += captured;
        self.restored += restored;
        self.mendable += mendable;
        self.damaged += damaged;
        self.missing += missing;
        self.not_on_disk += not_on_disk;
        self.not_stored += not_stored;
        self.differs += differs;
        self.out_of_reach += out_of_reach;
        self.former.add(former);
    }

    /// Notes what was found of an entry, and what came of mending it, and tells what is to be told.
    pub(super) fn note(
        &mut self,
        entry: &Checked,
        verdict: Verdict,
        mended: Option<(Cure, Result<(), String>)>,
        tell: Tell<'_>,
    ) {
        if verdict == Verdict::Changed {
            self.changed += 1;
            return;
        }
        self.verified += 1;
        self.bytes += entry.file_size;
        self.left_out += u64::from(verdict == Verdict::LeftOut);
        let Some((what, text)) = wrong(&verdict) else { return };
        let (is_mended, text) = match mended {
            Some((cure, Ok(()))) => {
                *match cure {
                    Cure::StoreAgain => &mut self.stored_again,
                    Cure::Capture => &mut self.captured,
                    Cure::Restore => &mut self.restored,
                } += 1;
                (true, format!("{text}; {}", done(cure)))
            }
            Some((_, Err(why))) => {
                *self.count_of(&verdict) += 1;
                (false, format!("{text}; not mended: {why}"))
            }
            None => {
                match verdict.cure() {
                    Some(_) => self.mendable += 1,
                    None => *self.count_of(&verdict) += 1,
                }
                (false, text)
            }
        };
        let cure = if is_mended { None } else { cure(&verdict, entry) };
        let (row, path) = (entry.row, entry.path.clone());
        tell(Told { row, path, what, text, cure, mended: is_mended });
    }

    fn count_of(&mut self, verdict: &Verdict) -> &mut u64 {
        match verdict {
            Verdict::Missing => &mut self.missing,
            Verdict::NotStored => &mut self.not_stored,
            Verdict::Differs => &mut self.differs,
            Verdict::OutOfReach(_) => &mut self.out_of_reach,
            _ => &mut self.damaged,
        }
    }
}

/// What is wrong, in a word and for people; `None` when nothing is.
fn wrong(verdict: &Verdict) -> Option<(&'static str, String)> {
    Some(match verdict {
        Verdict::Sound | Verdict::LeftOut | Verdict::Changed => return None,
        Verdict::Damaged(reason) => ("damaged", format!("{reason}; its file is on disk")),
        Verdict::DamagedOther(reason) => {
            ("damaged", format!("{reason}; a file is on disk, which is not the stored one"))
        }
        Verdict::Lost(reason) => ("damaged", reason.to_string()),
        Verdict::Missing => ("missing", "its file is not on disk".into()),
        Verdict::NotStored => ("not_stored", "the file on disk is another, and not stored".into()),
        Verdict::Differs => {
            let text =
                "the file on disk has other bytes than the stored one, and the same size and mtime";
            ("differs", text.into())
        }
        Verdict::OutOfReach(why) => ("out_of_reach", why.clone()),
    })
}

fn done(cure: Cure) -> &'static str {
    match cure {
        Cure::StoreAgain => "stored again",
        Cure::Capture => "the file on disk was stored",
        Cure::Restore => "restored",
    }
}

/// What a person can do.
fn cure(verdict: &Verdict, entry: &Checked) -> Option<String> {
    let path = shell_word(&entry.path);
    Some(match verdict {
        Verdict::Sound | Verdict::LeftOut | Verdict::Changed => return None,
        Verdict::Damaged(_) | Verdict::DamagedOther(_) | Verdict::NotStored => {
            format!("imagecached cache -- {path}")
        }
        Verdict::Lost(_) => format!(
            "restore a backup of the database, or put the file into the upload directory if anybody has it \
             and type: imagecached verify -- {path}"
        ),
        Verdict::Missing => "imagecached restore".into(),
        Verdict::Differs => format!(
            "look at both (imagecached get --output FILE -- {path}); if the one on disk is right: imagecached \
             cache -- {path}; if the stored one is: move the one on disk away, then imagecached restore"
        ),
        Verdict::OutOfReach(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::check::Condition;
    use crate::payload::damage::Reason;

    #[test]
    fn everything_is_counted_once_and_told_with_what_to_do() {
        let entry = Checked {
            row: PastRow::Entry(7),
            path: "my cat.jpg".into(),
            file_size: 10,
            sha256: None,
            mtime_ns: 0,
            condition: Condition::Sound,
        };
        let gone = || Reason::Chunk(1);
        let mut report = Report::default();
        let mut lines = Vec::new();
        let mut tell = |told: Told| {
            let cure = told.cure.unwrap_or_else(|| "-".into());
            lines.push(format!("{} {}: {}\n  {cure}", told.what, told.mended, told.text));
        };
        for (verdict, mended) in [
            (Verdict::Sound, None),
            (Verdict::Changed, None),
            (Verdict::LeftOut, None),
            (Verdict::Damaged(gone()), Some((Cure::StoreAgain, Ok(())))),
            (Verdict::Damaged(gone()), Some((Cure::StoreAgain, Err("no room".into())))),
            (Verdict::DamagedOther(gone()), Some((Cure::Capture, Ok(())))),
            (Verdict::Lost(gone()), None),
            (Verdict::Missing, None),
            (Verdict::Missing, Some((Cure::Restore, Ok(())))),
            (Verdict::NotStored, Some((Cure::Capture, Err("held open".into())))),
            (Verdict::Differs, None),
            (Verdict::OutOfReach("the store is away".into()), None),
        ] {
            report.note(&entry, verdict, mended, &mut tell);
        }
        assert_eq!((report.verified, report.mended(), report.not_mended()), (11, 3, 5));
        assert_eq!((report.bytes, report.changed, report.left_out), (110, 1, 1));
        assert!(!report.is_well());
        insta::assert_snapshot!(lines.join("\n"), @r"
        damaged true: chunk 1 is missing; its file is on disk; stored again
          -
        damaged false: chunk 1 is missing; its file is on disk; not mended: no room
          imagecached cache -- 'my cat.jpg'
        damaged true: chunk 1 is missing; a file is on disk, which is not the stored one; the file on disk was stored
          -
        damaged false: chunk 1 is missing
          restore a backup of the database, or put the file into the upload directory if anybody has it and type: imagecached verify -- 'my cat.jpg'
        missing false: its file is not on disk
          imagecached restore
        missing true: its file is not on disk; restored
          -
        not_stored false: the file on disk is another, and not stored; not mended: held open
          imagecached cache -- 'my cat.jpg'
        differs false: the file on disk has other bytes than the stored one, and the same size and mtime
          look at both (imagecached get --output FILE -- 'my cat.jpg'); if the one on disk is right: imagecached cache -- 'my cat.jpg'; if the stored one is: move the one on disk away, then imagecached restore
        out_of_reach false: the store is away
          -
        ");
    }
}
