use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use super::entry::{Entry, Outcome};
use super::event::PlatformEvent;

/// What happened before anybody was authenticated, gathered: one entry for each source and text of
/// an interval, however often it happened.
///
/// Strangers decide how much comes in here, so what they can make the gateway remember is bounded;
/// what does not fit is counted.
#[derive(Default)]
pub(super) struct Gather {
    entries: HashMap<(Option<IpAddr>, Outcome), Entry>,
    overflow: Option<Entry>,
}

impl Gather {
    /// Gathers an entry. Whether it is the first of its interval.
    pub(super) fn add(&mut self, entry: Entry) -> bool {
        let first = self.entries.is_empty();
        let key = (entry.source.map(network), entry.outcome.clone());
        if let Some(gathered) = self.entries.get_mut(&key) {
            gathered.absorb(&entry);
        } else if self.entries.len() < ENTRIES_MAX {
            self.entries.insert(key, entry);
        } else if let Some(overflow) = &mut self.overflow {
            overflow.absorb(&entry);
        } else {
            self.overflow = Some(Entry::of_platform(PlatformEvent {
                at_ms: entry.at_ms,
                source: None,
                what: "more from other sources, not recorded singly".to_owned(),
            }));
        }
        first
    }

    /// Ends the interval.
    pub(super) fn take(&mut self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.entries.drain().map(|(_, entry)| entry).collect();
        self.entries.shrink_to(0);
        entries.extend(self.overflow.take());
        entries.sort_by_key(|entry| entry.at_ms);
        entries
    }
}

/// Whom a source belongs to: one customer of a provider holds a whole /64 of IPv6 addresses.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 => v4,
    }
}

/// How many entries one interval has at most.
pub(super) const ENTRIES_MAX: usize = 4_096;
