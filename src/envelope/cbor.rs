//! Just enough CBOR to know where a footer's map ends: RFC 8949 in the deterministic encoding of
//! section 4.2.1 (shortest heads, definite lengths, keys in ascending bytewise order).

/// The length of the one map that `bytes` begin with, or `None` when they begin with something
/// else, or with a map in another encoding than the deterministic.
pub(crate) fn map_len(bytes: &[u8]) -> Option<usize> {
    if bytes.first()? >> 5 != MAP {
        return None;
    }
    let rest = skip_item(bytes, DEPTH_MAX)?;
    Some(bytes.len() - rest.len())
}

/// What stands behind the first item.
fn skip_item(bytes: &[u8], depth: u8) -> Option<&[u8]> {
    let (first, rest) = bytes.split_first()?;
    let (major, info) = (first >> 5, first & 31);
    if major == SIMPLE {
        return match info {
            // false, true, null
            20..=22 => Some(rest),
            // half, single, double
            25 => rest.get(2..),
            26 => rest.get(4..),
            27 => rest.get(8..),
            _ => None,
        };
    }
    let (argument, mut rest) = argument(info, rest)?;
    match major {
        UNSIGNED | NEGATIVE => Some(rest),
        BYTES => rest.get(usize::try_from(argument).ok()?..),
        TEXT => {
            let (text, rest) = rest.split_at_checked(usize::try_from(argument).ok()?)?;
            std::str::from_utf8(text).ok()?;
            Some(rest)
        }
        // A hostile count ends with the bytes: every item takes at least one.
        ARRAY => {
            let depth = depth.checked_sub(1)?;
            for _ in 0..argument {
                rest = skip_item(rest, depth)?;
            }
            Some(rest)
        }
        MAP => {
            let depth = depth.checked_sub(1)?;
            let mut before: Option<&[u8]> = None;
            for _ in 0..argument {
                let after_key = skip_item(rest, depth)?;
                let key = &rest[..rest.len() - after_key.len()];
                if before.is_some_and(|before| before >= key) {
                    return None;
                }
                before = Some(key);
                rest = skip_item(after_key, depth)?;
            }
            Some(rest)
        }
        TAG => skip_item(rest, depth.checked_sub(1)?),
        _ => None,
    }
}

/// The number in an item's head, in its shortest form.
fn argument(info: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    match info {
        0..24 => Some((info.into(), rest)),
        24 => shortest::<1>(rest, 24),
        25 => shortest::<2>(rest, 1 << 8),
        26 => shortest::<4>(rest, 1 << 16),
        27 => shortest::<8>(rest, 1 << 32),
        _ => None,
    }
}

fn shortest<const N: usize>(rest: &[u8], least: u64) -> Option<(u64, &[u8])> {
    let (digits, rest) = rest.split_first_chunk::<N>()?;
    let value = digits
        .iter()
        .fold(0, |value, digit| value << 8 | u64::from(*digit));
    (value >= least).then_some((value, rest))
}

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;
/// How deep items may nest, so that hostile bytes cannot exhaust the stack.
const DEPTH_MAX: u8 = 16;
