use std::fmt;
use std::str::FromStr;

use time::{Date, OffsetDateTime, Time};

/// A month of the calendar (UTC), written as in ISO 8601: `2026-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(Date);

/// The text is not a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a month is written as in 2026-01")]
pub struct InvalidMonth;

impl Month {
    /// The month that a time lies in, milliseconds since the epoch. What no calendar reaches lies
    /// in the last that there is.
    pub fn of(at_ms: u64) -> Self {
        let seconds = i64::try_from(at_ms / 1_000).unwrap_or(i64::MAX);
        let date = OffsetDateTime::from_unix_timestamp(seconds).map_or(Date::MAX, |at| at.date());
        // Every month has a first day.
        Self(date.replace_day(1).unwrap_or(date))
    }

    /// When it begins, milliseconds since the epoch.
    pub fn start_ms(self) -> u64 {
        let seconds = self.0.with_time(Time::MIDNIGHT).as_utc().unix_timestamp();
        u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000)
    }

    /// When the next one begins, milliseconds since the epoch.
    pub fn end_ms(self) -> u64 {
        let days = u64::from(self.0.month().length(self.0.year()));
        self.start_ms().saturating_add(days * 86_400_000)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), u8::from(self.0.month()))
    }
}

impl FromStr for Month {
    type Err = InvalidMonth;

    fn from_str(text: &str) -> Result<Self, InvalidMonth> {
        let is_written_so = text.len() == 7
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let (year, month) = text.split_once('-').ok_or(InvalidMonth)?;
        let year: i32 = year.parse().map_err(|_| InvalidMonth)?;
        let month: u8 = month.parse().map_err(|_| InvalidMonth)?;
        let month = time::Month::try_from(month).map_err(|_| InvalidMonth)?;
        let date = Date::from_calendar_date(year, month, 1).map_err(|_| InvalidMonth)?;
        // Nothing was used before there was a clock to tell.
        if is_written_so && year >= 1970 {
            Ok(Self(date))
        } else {
            Err(InvalidMonth)
        }
    }
}
