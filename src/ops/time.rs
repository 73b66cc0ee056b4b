use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time as people read it; as a number if no calendar reaches it.
pub(super) fn rfc3339(ms: u64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| ms.to_string())
}
