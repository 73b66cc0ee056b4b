use names::{Effect, Glob};

use super::error::PolicyProblem;

/// A resource of a policy document by our own names.
///
/// ```text
/// *                                                        *
/// arn:aws:s3:::bucket                                      drive:bucket
/// arn:aws:s3:::bucket/key*                                 drive:bucket/key*
/// arn:aws:secretsmanager:region:account:secret:name-??????  secret:name
/// arn:aws:secretsmanager:region:account:secret:name-AbCdEf  secret:name
/// arn:aws:secretsmanager:region:account:secret:name-*       secret:name, secret:name-*
/// arn:aws:secretsmanager:region:account:secret:name         secret:name
/// drive:…, secret:…, agent:…                               as it stands
/// ```
pub(super) fn named(text: &str, effect: Effect) -> Result<Vec<Glob>, PolicyProblem> {
    if text.contains("${") {
        return Err(PolicyProblem::Variable);
    }
    let names = match text.strip_prefix("arn:") {
        Some(arn) => of_arn(arn, effect).ok_or(PolicyProblem::Resource)?,
        None if text == "*" || is_own(text) => vec![text.to_owned()],
        None => return Err(PolicyProblem::Resource),
    };
    names
        .iter()
        .map(|name| Glob::parse(name).map_err(|_| PolicyProblem::Pattern))
        .collect()
}

fn is_own(text: &str) -> bool {
    ["drive:", "secret:", "agent:"]
        .iter()
        .any(|kind| text.strip_prefix(kind).is_some_and(|name| !name.is_empty()))
}

/// What stands behind `arn:`. Region and account are not looked at beyond their form: a policy
/// reaches nothing but its own organization, whatever account it names.
fn of_arn(arn: &str, effect: Effect) -> Option<Vec<String>> {
    let [partition, service, region, account, resource] =
        arn.splitn(5, ':').collect::<Vec<_>>().try_into().ok()?;
    if partition != "aws" {
        return None;
    }
    match service {
        "s3" => {
            // Access points and the like have a region and an account; buckets do not.
            let is_bucket = [region, account]
                .iter()
                .all(|part| matches!(*part, "" | "*"));
            (is_bucket && !resource.is_empty()).then(|| vec![format!("drive:{resource}")])
        }
        "secretsmanager" => {
            let is_place = [region, account].iter().all(|part| is_place(part));
            let name = resource.strip_prefix("secret:")?;
            (is_place && !name.is_empty()).then(|| of_secret(name, effect))
        }
        _ => None,
    }
}

fn is_place(part: &str) -> bool {
    let is_known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-*?".contains(&byte);
    !part.is_empty() && part.bytes().all(is_known)
}

/// The ARN of a secret is its name, a hyphen and six letters or digits. Where a pattern can be
/// read as one with these and as one without, it allows what Amazon lets it allow, and denies
/// what either reading denies.
fn of_secret(pattern: &str, effect: Effect) -> Vec<String> {
    let mut names = Vec::new();
    // `name-*` is met by the six characters of `name`, and by longer names too.
    let (written, is_open) = match pattern.strip_suffix('*') {
        Some(beginning) => (beginning, true),
        None => (pattern, false),
    };
    let tail = written
        .rsplit_once('-')
        .filter(|(name, tail)| !name.is_empty() && tail.chars().all(is_of_suffix));
    let is_whole = |tail: &str| tail.len() == SUFFIX_LEN;
    let named = match (tail, is_open, effect) {
        (Some((name, tail)), false, _) if is_whole(tail) => Some(name),
        (Some((name, "")), true, _) => Some(name),
        (Some((name, tail)), true, Effect::Deny) if tail.len() <= SUFFIX_LEN => Some(name),
        _ => None,
    };
    names.extend(named.map(|name| format!("secret:{name}")));
    if names.is_empty() || is_open || effect == Effect::Deny {
        names.push(format!("secret:{pattern}"));
    }
    names
}

fn is_of_suffix(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '?'
}

const SUFFIX_LEN: usize = 6;
