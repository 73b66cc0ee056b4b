use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};

/// Reads `"16 KiB"` as a number of bytes.
pub(super) fn bytes<'de, D: Deserializer<'de>>(source: D) -> Result<u64, D::Error> {
    source.deserialize_str(Quantity {
        units: &[
            ("B", 1),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
        ],
        expected: "a size such as \"16 KiB\" (B, KiB, MiB, GiB, TiB)",
    })
}

/// Reads `"15m"` as a duration.
pub(super) fn duration<'de, D: Deserializer<'de>>(source: D) -> Result<Duration, D::Error> {
    source
        .deserialize_str(Quantity {
            units: &[
                ("ms", 1),
                ("s", 1_000),
                ("m", 60_000),
                ("h", 3_600_000),
                ("d", 86_400_000),
            ],
            expected: "a duration such as \"15m\" (ms, s, m, h, d)",
        })
        .map(Duration::from_millis)
}

/// Reads the same, of a setting that may be left out.
pub(super) fn some_duration<'de, D: Deserializer<'de>>(
    source: D,
) -> Result<Option<Duration>, D::Error> {
    duration(source).map(Some)
}

/// A whole number, at most one space, and a unit. Nothing else is understood: a number without a
/// unit is the mistake that this form exists to prevent.
struct Quantity {
    units: &'static [(&'static str, u64)],
    expected: &'static str,
}

impl Visitor<'_> for Quantity {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.strip_prefix(' ').unwrap_or(unit);
        let factor = self.units.iter().find(|(name, _)| *name == unit);
        number
            .parse::<u64>()
            .ok()
            .zip(factor)
            .and_then(|(number, (_, factor))| number.checked_mul(*factor))
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}
