use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Tells everything that listens or works in the background to come to its end. Clones share one.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// One that nobody has asked for yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Asks everybody to stop. Asking again changes nothing.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has been asked for.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it has been asked for.
    pub async fn requested(&self) {
        let mut requested = self.0.subscribe();
        // `self` keeps the sender, so that waiting cannot fail before the value is there.
        let _ = requested.wait_for(|requested| *requested).await;
    }

    /// Asks for a stop at the first SIGTERM or SIGINT, and ends the process at the second: an
    /// operator who asks twice does not want to wait.
    ///
    /// # Errors
    ///
    /// If the system does not let the signals be handled.
    pub fn on_signals(&self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = self.clone();
        tokio::spawn(async move {
            loop {
                let number = tokio::select! {
                    Some(()) = terminate.recv() => SignalKind::terminate().as_raw_value(),
                    Some(()) = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
                    // The runtime is being taken down, which is no second signal.
                    else => return,
                };
                if stop.is_requested() {
                    tracing::warn!("second signal: ending at once");
                    std::process::exit(128 + number);
                }
                tracing::info!("stopping: finishing requests in flight");
                stop.request();
            }
        });
        Ok(())
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
