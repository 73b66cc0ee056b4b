//! The only reader of time.
//!
//! Everything that asks for the time takes a [`Clock`], so that a test moves time by hand and a
//! failure replays. Waiting is tokio's: a timer is started with a [`Duration`] and reads no clock
//! of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time: the calendar's, which may be set back, and one that only goes forward.
///
/// Clones share one clock.
#[derive(Debug, Clone)]
pub struct Clock(Source);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one door to the clock")]
        Self(Source::System {
            start: Instant::now(),
        })
    }

    /// A clock that stands at `now_ms` until its [`ManualClock`] moves it.
    pub fn manual(now_ms: u64) -> (Self, ManualClock) {
        let hands = Arc::new(Hands {
            wall_ms: AtomicU64::new(now_ms),
            monotonic_ms: AtomicU64::new(0),
        });
        (
            Self(Source::Manual(Arc::clone(&hands))),
            ManualClock { hands },
        )
    }

    /// Milliseconds since the Unix epoch; 0 on a machine whose calendar stands before 1970.
    pub fn now_ms(&self) -> u64 {
        match &self.0 {
            Source::System { .. } => {
                #[expect(clippy::disallowed_methods, reason = "the one door to the clock")]
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
            Source::Manual(hands) => hands.wall_ms.load(Ordering::SeqCst),
        }
    }

    /// Whole seconds since the Unix epoch.
    pub fn now_seconds(&self) -> u64 {
        self.now_ms() / 1000
    }

    /// Time since this clock was made. Never goes back, and so measures how long something took.
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual(hands) => {
                Duration::from_millis(hands.monotonic_ms.load(Ordering::SeqCst))
            }
        }
    }
}

/// Moves a manual [`Clock`].
#[derive(Debug, Clone)]
pub struct ManualClock {
    hands: Arc<Hands>,
}

impl ManualClock {
    /// Lets time pass, on the calendar and on the monotonic clock, in whole milliseconds.
    pub fn advance(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.hands.wall_ms.fetch_add(by_ms, Ordering::SeqCst);
        self.hands.monotonic_ms.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Sets the calendar, forward or back, as an operator or a time server may. The monotonic
    /// clock does not notice.
    pub fn set_ms(&self, now_ms: u64) {
        self.hands.wall_ms.store(now_ms, Ordering::SeqCst);
    }
}

#[derive(Debug, Clone)]
enum Source {
    System { start: Instant },
    Manual(Arc<Hands>),
}

#[derive(Debug)]
struct Hands {
    wall_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_stands_in_this_century() {
        let clock = Clock::system();
        let (y2020, y2100) = (1_577_836_800_000, 4_102_444_800_000);
        assert!((y2020..y2100).contains(&clock.now_ms()));
        assert!(clock.monotonic() <= clock.monotonic());
    }

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let (clock, hand) = Clock::manual(5_500);
        let shared = clock.clone();
        assert_eq!((clock.now_ms(), clock.now_seconds()), (5_500, 5));
        hand.advance(Duration::from_secs(2));
        assert_eq!(shared.now_ms(), 7_500);
        assert_eq!(shared.monotonic(), Duration::from_secs(2));
        hand.set_ms(1_000);
        assert_eq!(clock.now_ms(), 1_000);
        assert_eq!(clock.monotonic(), Duration::from_secs(2));
    }
}
