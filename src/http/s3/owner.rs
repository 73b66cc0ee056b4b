use wire::s3::xml;

use crate::authz::Caller;

/// Whose everything is that a caller can see: its organization's. Shown by the organization's
/// identifier, which is also what `x-amz-expected-bucket-owner` has to name.
pub(super) struct Owner(String);

impl Owner {
    /// The organization of a caller.
    pub fn of(caller: &Caller) -> Self {
        Self(caller.org().to_string())
    }

    /// As documents show it.
    pub fn shown(&self) -> xml::Owner<'_> {
        shown(&self.0)
    }
}

/// A principal or organization, by its identifier.
pub(super) fn shown(id: &str) -> xml::Owner<'_> {
    xml::Owner {
        id,
        display_name: None,
    }
}

/// What every object is stored as.
pub(super) const STORAGE_CLASS: &str = "STANDARD";
