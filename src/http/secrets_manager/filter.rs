use std::mem;

use wire::secrets_manager::{Filter, FilterKey};

use crate::vault::Description;

/// Whether a secret meets every condition.
pub(super) fn meets(secret: &Description, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| {
        let mut is_wanted = false;
        let mut any_wanted = false;
        for value in &filter.values {
            match value.strip_prefix('!') {
                Some(unwanted) if matches(secret, filter.key, unwanted) => return false,
                Some(_) => {}
                None => {
                    any_wanted = true;
                    is_wanted |= matches(secret, filter.key, value);
                }
            }
        }
        is_wanted || !any_wanted
    })
}

/// Whether a secret has what is looked for (API reference, Filter).
fn matches(secret: &Description, key: FilterKey, value: &str) -> bool {
    match key {
        FilterKey::Name => secret.path.as_str().starts_with(value),
        FilterKey::Description => has_words(value, [secret.description.as_str()]),
        FilterKey::TagKey => secret.tags.keys().any(|name| name.starts_with(value)),
        FilterKey::TagValue => secret.tags.values().any(|text| text.starts_with(value)),
        // No secret is a replica, and none is managed by a service of Amazon's.
        FilterKey::PrimaryRegion | FilterKey::OwningService => false,
        FilterKey::All => {
            let tags = secret.tags.iter();
            let texts = [secret.path.as_str(), &secret.description]
                .into_iter()
                .chain(tags.flat_map(|(name, text)| [name.as_str(), text.as_str()]));
            has_words(value, texts)
        }
    }
}

/// Whether every word of what is sought begins a word of the texts, in any case of the letters. So
/// Amazon answers, for descriptions too, of which the API reference says that their beginnings are
/// compared; moto's tests, which were run against it, show how it splits words.
fn has_words<'a>(sought: &str, texts: impl IntoIterator<Item = &'a str>) -> bool {
    let there: Vec<String> = texts.into_iter().flat_map(words).collect();
    let sought = words(sought);
    let is_there = |word: &String| there.iter().any(|longer| longer.starts_with(word));
    !sought.is_empty() && sought.iter().all(is_there)
}

/// The words of a text, in lower case: `AppBeta` has two, and `COMPANYThings` is of `company` and
/// `things`. One begins after what is neither letter nor digit, with what is not a small letter
/// after one that is, and with the last such before one.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in text.split(|character: char| !character.is_alphanumeric()) {
        let mut word = String::new();
        let mut is_after_small = false;
        let mut characters = run.chars().peekable();
        while let Some(character) = characters.next() {
            let is_small = character.is_lowercase();
            let is_before_small = characters.peek().is_some_and(|next| next.is_lowercase());
            if !is_small && (is_after_small || is_before_small) && !word.is_empty() {
                words.push(mem::take(&mut word));
            }
            word.extend(character.to_lowercase());
            is_after_small = is_small;
        }
        if !word.is_empty() {
            words.push(word);
        }
    }
    words
}
