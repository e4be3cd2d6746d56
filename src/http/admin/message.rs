//! What a change has done, told on the next page: a few numbers in a cookie, never a text.

use crate::http::{Restored, Tally};

use super::language::Language;

/// Name of the cookie. It goes with the first page that shows it.
pub const COOKIE: &str = "imagecached_message";

/// What has been done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    LoggedIn,
    LoggedOut,
    NothingSelected,
    /// It takes longer than anybody waits for a page.
    GoesOn,
    Cached {
        cached: u64,
        unchanged: u64,
        skipped: u64,
        failed: u64,
    },
    Restored {
        restored: u64,
        present: u64,
        damaged: u64,
        not_restored: u64,
    },
    Deleted(u64),
    Cleaned(u64),
    GivenBack {
        given: u64,
        left: u64,
    },
    Forgotten(u64),
    /// A former content is the present one.
    Reverted,
    /// The bytes have the sha256 that the entry says.
    Sound,
    /// The doctor has looked.
    Examined,
}

/// Whether a message is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Calm,
    Warning,
    Bad,
}

impl Tone {
    /// The value of `data-tone`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Calm => "calm",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

impl Message {
    /// What goes into the cookie.
    pub fn encode(&self) -> String {
        match self {
            Self::LoggedIn => "in".into(),
            Self::LoggedOut => "out".into(),
            Self::NothingSelected => "none".into(),
            Self::GoesOn => "goes-on".into(),
            Self::Cached { cached, unchanged, skipped, failed } => {
                format!("cached.{cached}.{unchanged}.{skipped}.{failed}")
            }
            Self::Restored { restored, present, damaged, not_restored } => {
                format!("restored.{restored}.{present}.{damaged}.{not_restored}")
            }
            Self::Deleted(count) => format!("deleted.{count}"),
            Self::Cleaned(count) => format!("cleaned.{count}"),
            Self::GivenBack { given, left } => format!("given.{given}.{left}"),
            Self::Forgotten(count) => format!("forgotten.{count}"),
            Self::Reverted => "reverted".into(),
            Self::Sound => "sound".into(),
            Self::Examined => "examined".into(),
        }
    }

    /// Reads a cookie; `None` for any other text.
    pub fn decode(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let name = parts.next()?;
        let numbers = parts.map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
        Some(match (name, numbers.as_slice()) {
            ("in", []) => Self::LoggedIn,
            ("out", []) => Self::LoggedOut,
            ("none", []) => Self::NothingSelected,
            ("goes-on", []) => Self::GoesOn,
            ("cached", &[cached, unchanged, skipped, failed]) => {
                Self::Cached { cached, unchanged, skipped, failed }
            }
            ("restored", &[restored, present, damaged, not_restored]) => {
                Self::Restored { restored, present, damaged, not_restored }
            }
            ("deleted", &[count]) => Self::Deleted(count),
            ("cleaned", &[count]) => Self::Cleaned(count),
            ("given", &[given, left]) => Self::GivenBack { given, left },
            ("forgotten", &[count]) => Self::Forgotten(count),
            ("reverted", []) => Self::Reverted,
            ("sound", []) => Self::Sound,
            ("examined", []) => Self::Examined,
            _ => return None,
        })
    }

    /// How it is meant.
    pub fn tone(&self) -> Tone {
        match self {
            Self::GivenBack { left: 1.., .. }
            | Self::Cached { failed: 1.., .. }
            | Self::Restored { damaged: 1.., .. }
            | Self::Restored { not_restored: 1.., .. } => Tone::Warning,
            Self::NothingSelected | Self::GoesOn | Self::LoggedOut | Self::Examined => Tone::Calm,
            _ => Tone::Good,
        }
    }

    /// The message in words.
    pub fn text(&self, language: Language) -> String {
        let text = language.texts();
        match *self {
            Self::LoggedIn => text.logged_in.into(),
            Self::LoggedOut => text.logged_out.into(),
            Self::NothingSelected => text.nothing_selected.into(),
            Self::GoesOn => text.goes_on.into(),
            Self::Cached { cached, unchanged, skipped, failed } => {
                (text.cached)(cached, unchanged, skipped, failed)
            }
            Self::Restored { restored, present, damaged, not_restored } => {
                (text.restored)(restored, present, damaged, not_restored)
            }
            Self::Deleted(count) => (text.deleted)(count),
            Self::Cleaned(count) => (text.cleaned)(count),
            Self::GivenBack { given, left } => (text.given_back)(given, left),
            Self::Forgotten(count) => (text.forgotten)(count),
            Self::Reverted => text.reverted.into(),
            Self::Sound => text.sound.into(),
            Self::Examined => text.examined.into(),
        }
    }
}

impl From<&Tally> for Message {
    fn from(tally: &Tally) -> Self {
        let &Tally { cached, unchanged, skipped, failed, .. } = tally;
        Self::Cached { cached, unchanged, skipped, failed }
    }
}

impl From<&Restored> for Message {
    fn from(done: &Restored) -> Self {
        Self::Restored {
            restored: done.restored,
            present: done.present,
            damaged: done.damaged,
            not_restored: done.refused + done.without_data + done.left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_from_its_cookie() {
        let cached = Message::Cached { cached: 1, unchanged: 2, skipped: 3, failed: 4 };
        let restored = Message::Restored { restored: 1, present: 2, damaged: 3, not_restored: 4 };
        for message in [
            Message::LoggedIn,
            Message::LoggedOut,
            Message::NothingSelected,
            Message::GoesOn,
            cached,
            restored,
            Message::Deleted(7),
            Message::Cleaned(8),
            Message::GivenBack { given: 1, left: 2 },
            Message::Forgotten(9),
            Message::Sound,
            Message::Examined,
        ] {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
        for odd in ["", "deleted", "deleted.x", "deleted.1.2", "in.1", "<b>", "deleted.-1"] {
            assert_eq!(Message::decode(odd), None, "{odd}");
        }
    }
}
