//! Whether everything is safe: one sentence, and the figures beside it that change while one looks.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::Serialize;

use crate::http::{GuardState, Site};
use crate::model::health::{Verified, Watcher};

use super::language::Language;
use super::message::Tone;

/// A file that waits for longer than this waits for something that is not in order.
const LONG: Duration = Duration::from_secs(60);

/// The state of things, in words. What a page shows at first and what the script puts there later is
/// the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    pub tone: &'static str,
    pub sentence: String,
    pub detail: String,
    /// Files that are not safe yet; nothing where nobody guards.
    pub unsaved: String,
    pub watcher: String,
    pub watcher_tone: &'static str,
    /// Why the watcher is not as it should be, in English.
    pub watcher_reason: String,
    pub captured: String,
    /// Files restored, and to restore; both 0 when there is nothing to show.
    pub restore_done: u64,
    pub restore_planned: u64,
    pub restore: String,
}

impl Status {
    /// The state now. `database` is the trouble with the database, if anybody has met one.
    pub fn of(site: &Site, language: Language, database: Option<&str>) -> Self {
        let state = site.guard.as_ref().map(|guard| guard.state());
        let away = site.health.database_away().is_some() || database.is_some();
        let text = language.texts();
        let verified = site.health.verified().unwrap_or_default();
        let (tone, sentence, detail) = judge(state.as_ref(), away, &verified, language);
        let (watcher_tone, watcher, reason) = match site.health.watcher() {
            _ if state.is_none() => (Tone::Calm, text.watcher_none, String::new()),
            Watcher::Off => (Tone::Calm, text.watcher_off, String::new()),
            Watcher::Watching => (Tone::Good, text.watcher_watching, String::new()),
            Watcher::Degraded(reason) => (Tone::Warning, text.watcher_degraded, reason),
        };
        let counters = &site.health.counters;
        let done = counters.restored_files.load(Relaxed);
        let planned = match &state {
            Some(state) if !state.restore_finished => state.restore_planned.unwrap_or(0),
            _ => 0,
        };
        let done = done.min(planned);
        Self {
            tone: tone.as_str(),
            sentence,
            detail,
            unsaved: state.map_or(String::new(), |state| language.number(state.unsaved as u64)),
            watcher: watcher.into(),
            watcher_tone: watcher_tone.as_str(),
            watcher_reason: reason,
            captured: language.number(counters.captured_files.load(Relaxed)),
            restore_done: done,
            restore_planned: planned,
            restore: (text.restore_progress)(done, planned),
        }
    }
}

fn judge(
    state: Option<&GuardState>,
    away: bool,
    verified: &Verified,
    language: Language,
) -> (Tone, String, String) {
    let text = language.texts();
    let Some(state) = state else {
        return if away {
            (Tone::Bad, text.database_away.into(), text.database_away_here.into())
        } else {
            (Tone::Calm, text.nobody_guards.into(), text.nobody_guards_detail.into())
        };
    };
    let unsaved = state.unsaved as u64;
    let waits = state.oldest_unsaved.map(|waits| (text.oldest_waits)(&language.duration(waits)));
    let waits = waits.unwrap_or_default();
    match (away, unsaved, state.oldest_unsaved) {
        (true, 0, _) => (Tone::Warning, text.database_away.into(), text.database_away_idle.into()),
        (true, _, _) => (Tone::Bad, (text.not_safe_away)(unsaved), text.do_not_stop.into()),
        (false, 0, _) if verified.not_mended > 0 => {
            (Tone::Warning, (text.not_mended)(verified.not_mended), text.not_mended_detail.into())
        }
        (false, 0, _) if verified.damaged_versions > 0 => {
            let sentence = (text.versions_damaged)(verified.damaged_versions);
            (Tone::Warning, sentence, text.versions_damaged_detail.into())
        }
        (false, 0, _) => (Tone::Good, text.all_safe.into(), text.all_safe_detail.into()),
        (false, _, Some(oldest)) if oldest > LONG => (Tone::Warning, (text.late)(unsaved), waits),
        (false, _, _) => (Tone::Calm, (text.on_the_way)(unsaved), waits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_how_it_stands() {
        let state = |unsaved, seconds| GuardState {
            unsaved,
            oldest_unsaved: (unsaved > 0).then(|| Duration::from_secs(seconds)),
            ..GuardState::default()
        };
        let damaged = |state: Option<GuardState>, away, (not_mended, damaged_versions)| {
            let found = Verified { not_mended, damaged_versions, ..Verified::default() };
            let (tone, sentence, detail) = judge(state.as_ref(), away, &found, Language::English);
            format!("{}: {sentence} | {detail}", tone.as_str()).replace('\u{a0}', " ")
        };
        let english = |state, away| damaged(state, away, (0, 0));
        let all = [
            english(Some(state(0, 0)), false),
            english(Some(state(1, 2)), false),
            english(Some(state(3, 300)), false),
            english(Some(state(0, 0)), true),
            english(Some(state(1, 5)), true),
            english(None, false),
            english(None, true),
            damaged(Some(state(0, 0)), false, (2, 1)),
            damaged(Some(state(0, 0)), false, (0, 1)),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        good: Everything is safe | Every upload that was seen is in the database.
        calm: 1 file is on its way to the database | The oldest has been waiting for 2 s.
        warning: 3 files are not safe yet | The oldest has been waiting for 5 min.
        warning: The database is away | Nothing waits for it now. New uploads stay on the disk until it is back.
        bad: The database is away, and 1 file is not safe | What waits is on the disk only. Do not stop this container before the database is back.
        calm: This is a look into the database | This process has no upload directory. Whether every upload is safe is known to the one beside the app.
        bad: The database is away | There is nothing to show before it is back.
        warning: 2 stored files are damaged, or are not those on disk | Verifying could not mend it. The command "imagecached verify" names what is wrong, and what to do.
        warning: 1 earlier content is damaged | The present files are safe; this one cannot be given back. The command "imagecached verify" names it.
        "#);
    }
}
