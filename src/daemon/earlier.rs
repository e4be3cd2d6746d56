//! What the restores of this process have met so far. One that could not be finished is repeated, perhaps
//! all day: each entry is to be named once, and those that held the others up come last.

use std::collections::{HashMap, HashSet};

use crate::model::plan::Plan;
use crate::restore::Report;

/// Lessons of the restores before.
#[derive(Debug, Default)]
pub struct Earlier {
    /// How often the objects of these entries were asked for in vain.
    pub in_vain: HashMap<i64, u32>,
    /// Paths that were named, and why.
    named: HashSet<(String, String)>,
}

impl Earlier {
    /// Takes a restore into account, and leaves out of it the names that were told before. Its counts stay.
    pub fn note(&mut self, plan: &mut Plan, report: &mut Report) {
        for id in &report.unanswered {
            *self.in_vain.entry(*id).or_default() += 1;
        }
        let named = &mut self.named;
        let mut is_news = |path: &str, why: String| named.insert((path.to_owned(), why));
        report.damaged_examples.retain(|damage| is_news(&damage.path, damage.reason.to_string()));
        report.failed_examples.retain(|(path, why)| is_news(path, why.clone()));
        plan.refused_examples.retain(|(path, why)| is_news(path, why.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::Damage;
    use crate::restore::damage::Reason;

    fn report(damaged: &[&str], unanswered: &[i64]) -> Report {
        let damage = |path: &&str| Damage { id: 1, path: (*path).into(), reason: Reason::NoData };
        Report {
            damaged: damaged.len() as u64,
            damaged_examples: damaged.iter().map(damage).collect(),
            unanswered: unanswered.iter().copied().collect(),
            ..Report::default()
        }
    }

    #[test]
    fn a_name_is_told_once_and_what_was_asked_in_vain_is_counted() {
        let mut earlier = Earlier::default();
        let mut plan = Plan::default();
        let mut first = report(&["a.jpg"], &[7, 8]);
        earlier.note(&mut plan, &mut first);
        assert_eq!(first.damaged_examples.len(), 1);
        let mut second = report(&["a.jpg", "b.jpg"], &[8]);
        earlier.note(&mut plan, &mut second);
        let named: Vec<_> = second.damaged_examples.iter().map(|d| d.path.as_str()).collect();
        assert_eq!((named, second.damaged), (vec!["b.jpg"], 2));
        assert_eq!(earlier.in_vain, HashMap::from([(7, 1), (8, 2)]));
    }
}
