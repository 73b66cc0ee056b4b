use super::document::Element;
use super::writer::Writer;
use crate::s3::Refusal;

/// `CreateBucketConfiguration`: what CreateBucket may send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateBucketConfiguration {
    /// The region that the bucket shall be in, if one was named.
    pub location: Option<String>,
}

/// `LocationConstraint`: the answer of GetBucketLocation.
#[derive(Debug, Clone, Copy)]
pub struct LocationConstraint<'a> {
    /// The region. Amazon shows `us-east-1` as nothing.
    pub region: &'a str,
}

impl CreateBucketConfiguration {
    /// Reads it. An empty body says nothing.
    ///
    /// # Errors
    /// `MalformedXML`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let root = Element::document(bytes, "CreateBucketConfiguration")?;
        let location = root
            .value("LocationConstraint")?
            .filter(|location| !location.is_empty())
            .map(str::to_owned);
        Ok(Self { location })
    }
}

impl LocationConstraint<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        Writer::document("LocationConstraint", |to| {
            if self.region != "us-east-1" {
                to.text(self.region);
            }
        })
    }
}
