/// A condition of a listing: the secrets that it lets through meet all of its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What is looked at.
    pub key: FilterKey,
    /// What it has to be, one of these; those that begin with `!`, it must not be.
    pub values: Vec<String>,
}

/// What a filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FilterKey {
    /// How words of the description begin, in any case of the letters.
    Description,
    /// How the name begins.
    Name,
    /// How the name of one of the tags begins.
    TagKey,
    /// How the value of one of the tags begins.
    TagValue,
    /// The region of the secret that this one is a replica of.
    PrimaryRegion,
    /// The service of Amazon's that manages the secret.
    OwningService,
    /// How words begin that stand anywhere in these.
    All,
}

impl FilterKey {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "description" => Self::Description,
            "name" => Self::Name,
            "tag-key" => Self::TagKey,
            "tag-value" => Self::TagValue,
            "primary-region" => Self::PrimaryRegion,
            "owning-service" => Self::OwningService,
            "all" => Self::All,
            _ => return None,
        })
    }
}
