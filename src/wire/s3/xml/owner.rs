use super::writer::Writer;

/// Whom a bucket, object or upload belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The canonical identifier.
    pub id: &'a str,
    /// The name to show.
    pub display_name: Option<&'a str>,
}

impl Owner<'_> {
    /// As `Owner` or `Initiator`.
    pub(super) fn write(&self, name: &str, to: &mut Writer) {
        to.parent(name, |to| {
            to.optional("DisplayName", self.display_name);
            to.element("ID", self.id);
        });
    }
}
