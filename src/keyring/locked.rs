use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use envelope::{Extent, Extents};
use region::LockGuard;

/// A key whose memory is not written to swap, as far as the system lets this process lock it
/// (mlock(2)). Where it does not, the key works all the same, and the log says so once.
pub(super) struct Locked<K> {
    /// Before the key, since memory that is given back cannot be unlocked any more.
    _pages: Pages,
    key: K,
}

/// Pages that are locked for one key.
///
/// The system locks whole pages, and does not count how often; the heap puts several keys on one.
/// So they are counted here, and a page is unlocked when the last key on it goes.
pub(super) struct Pages(Vec<usize>);

struct Held {
    keys: usize,
    _guard: LockGuard,
}

impl<K: Extents> Locked<K> {
    pub(super) fn new(key: K) -> Self {
        Self {
            _pages: Pages::lock(&key.extents()),
            key,
        }
    }
}

impl<K> Deref for Locked<K> {
    type Target = K;

    fn deref(&self) -> &K {
        &self.key
    }
}

impl Pages {
    /// Locks the pages that hold `extents`, or those of them that can be.
    pub(super) fn lock(extents: &[Extent]) -> Self {
        let size = region::page::size();
        let mut pages: Vec<_> = extents
            .iter()
            .flat_map(|extent| {
                let end = extent.address.saturating_add(extent.len);
                (extent.address / size..end.div_ceil(size)).map(|page| page * size)
            })
            .collect();
        pages.sort_unstable();
        pages.dedup();
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        pages.retain(|page| hold(&mut held, *page, size));
        Self(pages)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        for page in &self.0 {
            if let Entry::Occupied(mut entry) = held.entry(*page) {
                entry.get_mut().keys -= 1;
                if entry.get().keys == 0 {
                    entry.remove();
                }
            }
        }
    }
}

/// Locks a page for one key more, and says whether it is locked.
fn hold(held: &mut BTreeMap<usize, Held>, page: usize, size: usize) -> bool {
    let is_full = held.len() >= PAGES_MAX;
    match held.entry(page) {
        Entry::Occupied(mut entry) => {
            entry.get_mut().keys += 1;
            true
        }
        Entry::Vacant(_) if is_full => {
            warn_once(&"as many pages are locked as may be");
            false
        }
        Entry::Vacant(entry) => {
            match region::lock(std::ptr::without_provenance::<u8>(page), size) {
                Ok(guard) => {
                    entry.insert(Held {
                        keys: 1,
                        _guard: guard,
                    });
                    true
                }
                Err(error) => {
                    warn_once(&error);
                    false
                }
            }
        }
    }
}

fn warn_once(cause: &dyn std::fmt::Display) {
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            %cause,
            "not every key is locked into memory: raise RLIMIT_MEMLOCK, or let no swap be written \
             unencrypted"
        );
    }
}

static HELD: Mutex<BTreeMap<usize, Held>> = Mutex::new(BTreeMap::new());
static WARNED: AtomicBool = AtomicBool::new(false);
/// Each may part a mapping of the process in two, of which Linux allows 65,530 where nobody says
/// otherwise (`vm.max_map_count`).
const PAGES_MAX: usize = 8_192;
