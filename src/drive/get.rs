use super::conditions::Unmet;
use super::object::Object;
use super::reader::{NotOpened, ObjectReader};
use super::service::Done;
use super::session::Session;
use super::{DriveError, ReadRequest, Selection};
use crate::authz::{GetObject, Receipt};

impl Session<GetObject> {
    pub(super) async fn head(mut self, request: &ReadRequest) -> Done<Selection> {
        let (_, selection) = self.select(request).await?;
        Ok((selection, Receipt::default()))
    }

    pub(super) async fn get(mut self, request: &ReadRequest) -> Done<(Selection, ObjectReader)> {
        let mut seen = None;
        loop {
            let (object, selection) = self.select(request).await?;
            let version = object.row.version;
            let range = selection.range.clone();
            match ObjectReader::open(self, &object, range, 0).await {
                Ok(reader) => {
                    let receipt = Receipt {
                        bytes_in: 0,
                        bytes_out: reader.length(),
                    };
                    return Ok(((selection, reader), receipt));
                }
                // The version may have been replaced, and its blobs collected, since its row was
                // read. Under a version that is current still, they are lost.
                Err(NotOpened::Gone { session, .. }) if seen != Some(version) => {
                    seen = Some(version);
                    self = *session;
                }
                Err(NotOpened::Gone { error, .. } | NotOpened::Failed(error)) => return Err(error),
            }
        }
    }

    /// Finds the object of the permit, and what of it is asked for, if the conditions hold.
    async fn select(&mut self, request: &ReadRequest) -> Result<(Object, Selection), DriveError> {
        let object = self.find().await?;
        let info = object.info();
        match request.conditions.check(object.etag, info.modified_ms) {
            Ok(()) => {}
            Err(Unmet::NotModified) => return Err(DriveError::NotModified(Box::new(info))),
            Err(Unmet::Failed(condition)) => {
                return Err(DriveError::PreconditionFailed { condition });
            }
        }
        let chosen = request.choose(&object)?;
        let selection = Selection {
            info,
            range: chosen.range,
            is_partial: chosen.is_partial,
            part_checksum: chosen.part_checksum,
        };
        Ok((object, selection))
    }

    /// The object of the permit.
    pub(super) async fn find(&mut self) -> Result<Object, DriveError> {
        let name = self.permit.object_bucket().clone();
        let key = self.permit.key().clone();
        let bucket = self.bucket(&name).await?;
        let object = self.object(bucket.bucket, &key).await?;
        object.ok_or(DriveError::NoSuchKey)
    }
}
