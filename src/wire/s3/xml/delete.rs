use names::{InvalidObjectKey, ObjectKey};

use super::document::Element;
use super::writer::Writer;
use crate::s3::date::HttpDate;
use crate::s3::header::EtagCondition;
use crate::s3::{ErrorCode, Refusal};

/// `Delete`: the objects that DeleteObjects deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// Whether only failures are answered.
    pub is_quiet: bool,
    /// The objects: 1 to 1,000.
    pub objects: Vec<ObjectToDelete>,
}

/// An object to delete, and under which conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectToDelete {
    /// Its key.
    pub key: ObjectKey,
    /// Its version, if one is meant.
    pub version: Option<String>,
    /// The ETag that it must have.
    pub etag: Option<EtagCondition>,
    /// When it must have been written, seconds since the epoch.
    pub modified: Option<i64>,
    /// The size that it must have, bytes.
    pub size: Option<u64>,
}

/// `DeleteResult`: the answer of DeleteObjects.
#[derive(Debug, Clone)]
pub struct DeleteResult<'a> {
    /// What became of each object that is answered.
    pub outcomes: Vec<DeleteOutcome<'a>>,
}

/// What became of an object.
#[derive(Debug, Clone, Copy)]
pub enum DeleteOutcome<'a> {
    /// It is deleted, or was not there.
    Deleted {
        /// Its key.
        key: &'a str,
        /// The version that was named.
        version: Option<&'a str>,
        /// The delete marker that was made, or that was the version named.
        delete_marker: Option<&'a str>,
    },
    /// It is not.
    Failed {
        /// Its key.
        key: &'a str,
        /// The version that was named.
        version: Option<&'a str>,
        /// Why.
        code: ErrorCode,
        /// Why, for a person.
        message: &'a str,
    },
}

impl Delete {
    /// Reads it.
    ///
    /// # Errors
    /// `MalformedXML`, also without any object or above 1,000 of them; `KeyTooLongError`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let root = Element::document(bytes, "Delete")?;
        let count = root.children("Object").count();
        if !(1..=OBJECTS_MAX).contains(&count) {
            return Err(ErrorCode::MalformedXML.into());
        }
        Ok(Self {
            is_quiet: root.is_set("Quiet")?,
            objects: root
                .children("Object")
                .map(ObjectToDelete::of)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl ObjectToDelete {
    fn of(element: &Element) -> Result<Self, Refusal> {
        let key = element.child("Key")?.ok_or(ErrorCode::MalformedXML)?;
        let key = ObjectKey::parse(key.text()).map_err(|error| match error {
            InvalidObjectKey::Empty => ErrorCode::MalformedXML,
            InvalidObjectKey::TooLong => ErrorCode::KeyTooLongError,
        })?;
        let modified = element
            .value("LastModifiedTime")?
            .map(|text| HttpDate::parse_any(text).ok_or(Refusal::from(ErrorCode::MalformedXML)));
        Ok(Self {
            key,
            version: element
                .value("VersionId")?
                .filter(|version| !version.is_empty())
                .map(str::to_owned),
            etag: element.value("ETag")?.map(EtagCondition::parse),
            modified: modified.transpose()?.map(|date| date.0),
            size: element.number("Size")?,
        })
    }
}

impl DeleteResult<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        Writer::document("DeleteResult", |to| {
            for outcome in &self.outcomes {
                outcome.write(to);
            }
        })
    }
}

impl DeleteOutcome<'_> {
    fn write(&self, to: &mut Writer) {
        match self {
            Self::Deleted {
                key,
                version,
                delete_marker,
            } => to.parent("Deleted", |to| {
                to.optional("DeleteMarker", delete_marker.map(|_| true));
                to.optional("DeleteMarkerVersionId", *delete_marker);
                to.element("Key", key);
                to.optional("VersionId", *version);
            }),
            Self::Failed {
                key,
                version,
                code,
                message,
            } => to.parent("Error", |to| {
                to.element("Code", code);
                to.element("Key", key);
                to.element("Message", message);
                to.optional("VersionId", *version);
            }),
        }
    }
}

/// As Amazon limits it.
const OBJECTS_MAX: usize = 1000;
