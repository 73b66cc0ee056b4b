//! The dates of the S3 API: HTTP's in headers, ISO 8601 in documents.

use std::fmt;

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// An instant as documents hold it: `2009-10-12T17:50:30.000Z`, from milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Iso8601(pub u64);

impl fmt::Display for Iso8601 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0 / 1000).unwrap_or(i64::MAX);
        let at = instant(seconds);
        let (hour, minute, second) = at.to_hms();
        // A list holds a thousand of these, and seven padded numbers are slow to format.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put(&mut text[..4], at.year().unsigned_abs());
        put(&mut text[5..7], u32::from(u8::from(at.month())));
        put(&mut text[8..10], u32::from(at.day()));
        put(&mut text[11..13], u32::from(hour));
        put(&mut text[14..16], u32::from(minute));
        put(&mut text[17..19], u32::from(second));
        put(&mut text[20..23], (self.0 % 1000) as u32);
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// An instant as headers hold it (IMF-fixdate of RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`,
/// from seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpDate(pub i64);

impl HttpDate {
    /// Parses any of the three forms that RFC 9110 has recipients accept. `None` for another
    /// text: a conditional header with a date that does not parse is ignored.
    ///
    /// The two digits of RFC 850's year are of 1970 to 2069: that a date is more than fifty years
    /// ahead cannot be told without a clock.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(", ") {
            Some((_, date)) if date.as_bytes().get(2) == Some(&b'-') => {
                Self::of_rfc850(date).and_then(|date| Self::of(&date, PLAIN))
            }
            Some(_) => Self::of(text, IMF_FIXDATE),
            None => Self::of(text, ASCTIME),
        }
    }

    /// Parses a date as [`parse`](Self::parse) does, or one in ISO 8601: clients send either where
    /// the API does not say.
    pub fn parse_any(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| {
            OffsetDateTime::parse(text, &Rfc3339)
                .ok()
                .map(|at| Self(at.unix_timestamp()))
        })
    }

    /// `06-Nov-94 08:49:37 GMT` with a whole year and without hyphens.
    fn of_rfc850(date: &str) -> Option<String> {
        let mut fields = date.splitn(3, '-');
        let (day, month, rest) = (fields.next()?, fields.next()?, fields.next()?);
        let (year, time) = rest.split_once(' ')?;
        let [tens @ b'0'..=b'9', b'0'..=b'9'] = year.as_bytes() else {
            return None;
        };
        let century = if *tens >= b'7' { "19" } else { "20" };
        Some(format!("{day} {month} {century}{year} {time}"))
    }

    fn of(text: &str, form: &[BorrowedFormatItem<'_>]) -> Option<Self> {
        PrimitiveDateTime::parse(text, form)
            .ok()
            .map(|at| Self(at.assume_utc().unix_timestamp()))
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = instant(self.0)
            .format(IMF_FIXDATE)
            .map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// Writes a number's last digits, as many as there is room for.
fn put(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Instants beyond the year 9999, which neither form can hold, become its last second; those
/// before the epoch the epoch.
fn instant(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds.clamp(0, SECONDS_MAX))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

const IMF_FIXDATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
const PLAIN: &[BorrowedFormatItem<'_>] =
    format_description!("[day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
const ASCTIME: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
);
/// 9999-12-31T23:59:59Z.
const SECONDS_MAX: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_rfc_9110_are_one_instant() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(HttpDate::parse(text), Some(HttpDate(784_111_777)), "{text}");
        }
        assert_eq!(
            HttpDate(784_111_777).to_string(),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(
            HttpDate::parse("Thursday, 06-Nov-36 08:49:37 GMT"),
            HttpDate::parse("Thu, 06 Nov 2036 08:49:37 GMT")
        );
    }

    #[test]
    fn another_text_is_no_date() {
        for text in [
            "",
            ", ",
            "yesterday",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-é4 08:49:37 GMT",
            "Sunday, é-Nov-94 08:49:37 GMT",
            "Sunday, 06-",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(HttpDate::parse(text), None, "{text}");
        }
        assert_eq!(
            HttpDate::parse_any("1994-11-06T08:49:37.000Z"),
            Some(HttpDate(784_111_777))
        );
    }

    #[test]
    fn documents_hold_milliseconds() {
        assert_eq!(
            Iso8601(1_255_369_830_007).to_string(),
            "2009-10-12T17:50:30.007Z"
        );
        assert_eq!(Iso8601(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert!(
            Iso8601(u64::MAX)
                .to_string()
                .starts_with("9999-12-31T23:59:59.")
        );
        assert_eq!(
            HttpDate(i64::MIN).to_string(),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
    }
}
