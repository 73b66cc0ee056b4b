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
        FilterKey::Description => {
            let text = secret.description.to_lowercase();
            text.starts_with(&value.to_lowercase())
        }
        FilterKey::TagKey => secret.tags.keys().any(|name| name.starts_with(value)),
        FilterKey::TagValue => secret.tags.values().any(|text| text.starts_with(value)),
        // No secret is a replica, and none is managed by a service of Amazon's.
        FilterKey::PrimaryRegion | FilterKey::OwningService => false,
        FilterKey::All => {
            let tags = secret.tags.iter();
            let texts = [secret.path.as_str(), &secret.description]
                .into_iter()
                .chain(tags.flat_map(|(name, text)| [name.as_str(), text.as_str()]));
            let there: Vec<String> = texts.flat_map(words).collect();
            let mut sought = words(value).peekable();
            sought.peek().is_some() && sought.all(|word| there.contains(&word))
        }
    }
}

/// The words of a text, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}
