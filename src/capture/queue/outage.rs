//! A database that is away, or takes nothing more: one file at a time tries whether it is back, the others wait.

use std::time::{Duration, Instant};

use crate::model::UploadPath;

/// The first wait for a database that is away, and the longest. A database that comes back is
/// noticed within the longest one.
const AWAY: Waits = (Duration::from_millis(100), Duration::from_secs(5));

/// The same for one that answers and takes nothing more: room is made by people, and each try sends a whole
/// file, which a server that is full writes and throws away.
const FULL: Waits = (Duration::from_secs(1), Duration::from_secs(30));

type Waits = (Duration, Duration);

/// Who may be handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Anybody,
    /// Nobody, until it is told what became of the one that tries.
    Nobody,
    NobodyBefore(Instant),
}

/// What is known of an outage; by default there is none.
#[derive(Debug, Default)]
pub struct Outage(Option<Away>);

#[derive(Debug)]
struct Away {
    waits: u32,
    retry_at: Instant,
    /// The one file that tries whether the database is back.
    probe: Option<UploadPath>,
}

impl Outage {
    /// Who may be handed out now.
    pub fn turn(&self, now: Instant) -> Turn {
        match &self.0 {
            Some(away) if away.probe.is_some() => Turn::Nobody,
            Some(away) if now < away.retry_at => Turn::NobodyBefore(away.retry_at),
            _ => Turn::Anybody,
        }
    }

    /// This file was handed out: during an outage it is the one that tries.
    pub fn handed_out(&mut self, path: &UploadPath) {
        if let Some(away) = &mut self.0 {
            away.probe = Some(path.clone());
        }
    }

    /// This file has come back, whatever became of it.
    pub fn came_back(&mut self, path: &UploadPath) {
        if let Some(away) = &mut self.0
            && away.probe.as_ref() == Some(path)
        {
            away.probe = None;
        }
    }

    /// The database is away, or takes nothing more (`full`). Returns when it is tried again.
    pub fn note(&mut self, full: bool, now: Instant) -> Instant {
        let waits = match &self.0 {
            // Another file that was under way when it went.
            Some(away) if now < away.retry_at => return away.retry_at,
            Some(away) => away.waits + 1,
            None => 0,
        };
        let (first, most) = if full { FULL } else { AWAY };
        let wait = first.saturating_mul(1 << waits.min(10)).min(most);
        let retry_at = now + wait;
        self.0 = Some(Away { waits, retry_at, probe: None });
        retry_at
    }

    /// The database has answered; whether it was away until now.
    pub fn end(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_at_a_time_tries_and_the_waits_grow_to_their_bound() {
        let path = |name: &str| UploadPath::parse(name).unwrap();
        let (mut outage, mut now) = (Outage::default(), Instant::now());
        outage.handed_out(&path("under way"));
        assert_eq!(outage.turn(now), Turn::Anybody);
        let mut waits = Vec::new();
        for _ in 0..9 {
            let retry_at = outage.note(false, now);
            assert_eq!(outage.note(false, now), retry_at, "a second file tells nothing new");
            assert_eq!(outage.turn(now), Turn::NobodyBefore(retry_at));
            waits.push((retry_at - now).as_millis());
            now = retry_at;
            assert_eq!(outage.turn(now), Turn::Anybody);
            outage.handed_out(&path("probe"));
            outage.came_back(&path("under way"));
            assert_eq!(outage.turn(now), Turn::Nobody);
            outage.came_back(&path("probe"));
        }
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
        assert!(outage.end() && !outage.end());
        assert_eq!(
            outage.note(true, now),
            now + Duration::from_secs(1),
            "a full one is asked less"
        );
    }
}
