use super::owner::Owner;
use super::writer::Writer;

/// `ListAllMyBucketsResult`: the answer of ListBuckets.
#[derive(Debug, Clone)]
pub struct ListAllMyBucketsResult<'a> {
    /// The buckets of this page.
    pub buckets: Vec<BucketEntry<'a>>,
    /// Whose they are.
    pub owner: Owner<'a>,
    /// Where the next page begins, when there is one.
    pub continuation_token: Option<&'a str>,
    /// The prefix, if one was asked for.
    pub prefix: Option<&'a str>,
}

/// A bucket in a list.
#[derive(Debug, Clone, Copy)]
pub struct BucketEntry<'a> {
    /// Its name.
    pub name: &'a str,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// Its region; Amazon tells it in paged lists only.
    pub region: Option<&'a str>,
}

impl ListAllMyBucketsResult<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        Writer::document("ListAllMyBucketsResult", |to| {
            to.parent("Buckets", |to| {
                for bucket in &self.buckets {
                    to.parent("Bucket", |to| {
                        to.optional("BucketRegion", bucket.region);
                        to.instant("CreationDate", bucket.created_ms);
                        to.element("Name", bucket.name);
                    });
                }
            });
            self.owner.write("Owner", to);
            to.optional("ContinuationToken", self.continuation_token);
            to.optional("Prefix", self.prefix);
        })
    }
}
