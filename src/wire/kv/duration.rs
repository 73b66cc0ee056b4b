/// Reads a duration, in milliseconds: seconds as a number, or what Go's `time.ParseDuration` reads,
/// which has days, too: `30`, `90m`, `3h25m19s`, `1.5h`, `7d`. What is finer than a millisecond is
/// dropped, and none is longer than a hundred years.
pub fn parse_duration(text: &str) -> Option<u64> {
    let ms = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse::<u64>().ok()?.checked_mul(1_000)?
    } else {
        let mut rest = text;
        let mut nanos = 0_u128;
        while !rest.is_empty() {
            let (part, after) = part(rest)?;
            nanos = nanos.checked_add(part)?;
            rest = after;
        }
        u64::try_from(nanos / 1_000_000).ok()?
    };
    (ms <= MS_MAX).then_some(ms)
}

/// Writes a duration of milliseconds as Go's `time.Duration` does: `0s`, `500ms`, `1.5s`,
/// `3h25m19s`.
pub fn format_duration(ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    if ms < 1_000 {
        return format!("{ms}ms");
    }
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let mut text = String::new();
    if hours > 0 {
        text = format!("{hours}h");
    }
    if hours > 0 || minutes > 0 {
        text = format!("{text}{minutes}m");
    }
    let (seconds, fraction) = (ms / 1_000 % 60, ms % 1_000);
    if fraction == 0 {
        return format!("{text}{seconds}s");
    }
    let fraction = format!("{fraction:03}");
    format!("{text}{seconds}.{}s", fraction.trim_end_matches('0'))
}

/// One number with its unit, in nanoseconds, and what comes after.
fn part(text: &str) -> Option<(u128, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() || whole.len() + fraction.len() > DIGITS_MAX {
        return None;
    }
    let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (unit, rest) = rest.split_at(length);
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let number: u128 = format!("{whole}{fraction}").parse().ok()?;
    Some((number.checked_mul(*unit)? / scale, rest))
}

const UNITS: &[(&str, u128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
const DIGITS_MAX: usize = 20;
const MS_MAX: u64 = 100 * 365 * 86_400_000;
