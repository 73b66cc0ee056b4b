use crate::{Error, Field, Id, Result};

/// What a blob is. It chooses the purpose key, and the context that the content keys are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The body of an object.
    Object = 1,
    /// A part of a multipart upload.
    Part = 2,
    /// The list of an object's parts. Reserved: today it is rows only.
    Manifest = 3,
    /// A version of a secret.
    Secret = 4,
    /// The marker that an object is deleted. Reserved: today it is a row only.
    DeleteMarker = 5,
    /// The sealed columns of a catalog row.
    Record = 6,
}

impl Kind {
    pub(crate) fn from_byte(byte: u8) -> Result<Self> {
        Ok(match byte {
            1 => Self::Object,
            2 => Self::Part,
            3 => Self::Manifest,
            4 => Self::Secret,
            5 => Self::DeleteMarker,
            6 => Self::Record,
            _ => return Err(Error::Unsupported(Field::Kind)),
        })
    }

    /// Whether the plaintext's length is hidden by a length before and zeros behind it.
    pub fn hides_length(self) -> bool {
        matches!(self, Self::Secret | Self::Record)
    }
}

/// What is sealed, and the place in the catalog it is sealed for: opened for any other place, it
/// does not open. Gives the kind and the context (`ctx` in the format) together, so that the two
/// cannot disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// The body of an object. Its place is its blob id alone, so that a copy is an index entry.
    Object,
    /// A part; likewise.
    Part,
    /// A delete marker; likewise.
    DeleteMarker,
    /// A manifest.
    Manifest {
        /// The bucket's identifier.
        bucket_id: &'a [u8],
        /// The version's identifier.
        version_id: &'a [u8],
    },
    /// A version of a secret; the organization is that of the key.
    Secret {
        /// The secret's identifier.
        secret_id: &'a [u8],
        /// The version's identifier.
        version_id: &'a [u8],
    },
    /// The sealed columns of a row; one record holds all of them.
    Record {
        /// The table's name.
        table: &'a str,
        /// The primary key's columns, in schema order.
        primary_key: &'a [&'a [u8]],
        /// The column that holds the record.
        column: &'a str,
    },
}

impl Place<'_> {
    /// The kind of what is sealed for this place.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Object => Kind::Object,
            Self::Part => Kind::Part,
            Self::DeleteMarker => Kind::DeleteMarker,
            Self::Manifest { .. } => Kind::Manifest,
            Self::Secret { .. } => Kind::Secret,
            Self::Record { .. } => Kind::Record,
        }
    }

    /// `ctx`: every item as be32(length) ‖ bytes.
    pub(crate) fn context(&self, org_id: &Id) -> Result<Vec<u8>> {
        let mut context = Context::default();
        match *self {
            Self::Object | Self::Part | Self::DeleteMarker => {}
            Self::Manifest {
                bucket_id,
                version_id,
            } => {
                context.item(bucket_id)?;
                context.item(version_id)?;
            }
            Self::Secret {
                secret_id,
                version_id,
            } => {
                context.item(org_id)?;
                context.item(secret_id)?;
                context.item(version_id)?;
            }
            Self::Record {
                table,
                primary_key,
                column,
            } => {
                context.item(table.as_bytes())?;
                for value in primary_key {
                    context.item(value)?;
                }
                context.item(column.as_bytes())?;
            }
        }
        Ok(context.0)
    }
}

#[derive(Default)]
struct Context(Vec<u8>);

impl Context {
    fn item(&mut self, bytes: &[u8]) -> Result<()> {
        let len = u32::try_from(bytes.len())
            .map_err(|_| Error::Misuse("an item of a context is shorter than 4 GiB"))?;
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
