use std::collections::HashMap;

use names::PrincipalId;

use super::entry::{Entry, Outcome};

/// How many refusals each principal of one organization had recorded in this second, and how many
/// more there were.
///
/// The promise is that nothing goes unrecorded, not that everything has a line of its own: what is
/// over the limit is counted, and the count is recorded.
#[derive(Default)]
pub(super) struct Refusals(HashMap<PrincipalId, Window>);

struct Window {
    second: u64,
    recorded: u32,
    more: Option<More>,
}

/// Refusals that were counted only.
struct More {
    /// The second in which counting began.
    began: u64,
    /// The first of them, standing for all.
    entry: Entry,
}

impl Refusals {
    /// Gives `entry` back to be recorded, or counts it when its principal had `per_second_max`
    /// refusals recorded in this second already.
    pub(super) fn admit(
        &mut self,
        principal: PrincipalId,
        entry: Entry,
        second: u64,
        per_second_max: u32,
    ) -> Option<Entry> {
        let window = self.0.entry(principal).or_insert(Window {
            second,
            recorded: 0,
            more: None,
        });
        if window.second != second {
            window.second = second;
            window.recorded = 0;
        }
        if window.recorded < per_second_max {
            window.recorded += 1;
            return Some(entry);
        }
        window.count(entry);
        None
    }

    /// Gives `entry`, an intent, back to be recorded, or counts it as one more refusal when its
    /// principal was refused too often in this second: what is intended and then refused is
    /// recorded twice, and is not to get around the limit.
    pub(super) fn admit_intent(
        &mut self,
        principal: PrincipalId,
        entry: Entry,
        second: u64,
        per_second_max: u32,
    ) -> Option<Entry> {
        match self.0.get_mut(&principal) {
            Some(window) if window.second == second && window.recorded >= per_second_max => {
                window.count(entry);
                None
            }
            _ => Some(entry),
        }
    }

    /// Takes the counts that began before this second, one entry for each principal, and forgets
    /// the principals that are quiet.
    pub(super) fn take_counted(&mut self, second: u64) -> Vec<Entry> {
        let mut counted = Vec::new();
        self.0.retain(|_, window| {
            if let Some(more) = window.more.take_if(|more| more.began < second) {
                counted.push(more.summary());
            }
            window.more.is_some() || window.second >= second
        });
        if self.0.is_empty() {
            self.0.shrink_to_fit();
        }
        counted
    }

    /// Whether a count waits to be recorded.
    pub(super) fn is_counting(&self) -> bool {
        self.0.values().any(|window| window.more.is_some())
    }
}

impl Window {
    fn count(&mut self, entry: Entry) {
        match &mut self.more {
            Some(more) => more.entry.absorb(&entry),
            None => {
                self.more = Some(More {
                    began: self.second,
                    entry,
                });
            }
        }
    }
}

impl More {
    fn summary(self) -> Entry {
        let reason = format!(
            "{} more refusals of this principal not recorded singly",
            self.entry.count
        );
        Entry {
            action: "*".into(),
            resource: "*".to_owned(),
            outcome: Outcome::Refused { reason },
            ..self.entry
        }
    }
}
