use std::io;
use std::panic;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{Log, LogFormat};

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operator's `[log] level` does not parse.
    #[error("[log] level: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// The process has a subscriber already.
    #[error("logging is set up already")]
    Twice(#[source] tracing::subscriber::SetGlobalDefaultError),
}

/// Sends every event to standard error from now on, and every panic, too.
///
/// # Errors
///
/// If the level does not parse, or logging was set up before.
pub fn init(settings: &Log) -> Result<(), LogError> {
    let subscriber = subscriber(settings, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(LogError::Twice)?;
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let message = info.payload_as_str();
        tracing::error!(place, message, "panic");
    }));
    Ok(())
}

/// The subscriber that [`init`] installs, writing to `writer`.
pub(super) fn subscriber<W>(
    settings: &Log,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(&settings.level)?;
    let common = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(writer)
        .with_ansi(false);
    Ok(match settings.format {
        LogFormat::Text => Box::new(common.finish()),
        LogFormat::Json => Box::new(common.json().flatten_event(true).finish()),
    })
}
