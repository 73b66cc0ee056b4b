use super::writer::Writer;
use crate::s3::ErrorCode;

/// `Error`: what every refusal answers with.
#[derive(Debug, Clone)]
pub struct ErrorDocument<'a> {
    /// The code.
    pub code: ErrorCode,
    /// What went wrong, for a person.
    pub message: &'a str,
    /// What some codes say besides: `BucketName`, `Key`, `ArgumentName` and `ArgumentValue`,
    /// `Condition`, `ActualObjectSize` and `RangeRequested`. Never what was signed or with what.
    pub details: &'a [(&'static str, &'a str)],
    /// The path that was asked for, decoded.
    pub resource: &'a str,
    /// The request's identifier, as in `x-amz-request-id`.
    pub request_id: &'a str,
    /// The server's, as in `x-amz-id-2`.
    pub host_id: &'a str,
}

impl ErrorDocument<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        Writer::plain_document("Error", |to| {
            to.element("Code", self.code);
            to.element("Message", self.message);
            for (name, value) in self.details {
                to.element(name, value);
            }
            to.element("Resource", self.resource);
            to.element("RequestId", self.request_id);
            to.element("HostId", self.host_id);
        })
    }
}
