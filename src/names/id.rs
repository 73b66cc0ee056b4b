use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Sixteen bytes, shown as a hyphenated lower-case UUID.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Takes sixteen bytes as they stand in a row or a header.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Takes bytes of unknown length, as a database returns them.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidId> {
                bytes.try_into().map(Self).map_err(|_| InvalidId)
            }

            /// The sixteen bytes.
            pub const fn bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The milliseconds since the epoch that a UUIDv7 carries in its first 48 bits.
            pub fn created_ms(&self) -> u64 {
                let mut wide = [0; 8];
                wide[2..].copy_from_slice(&self.0[..6]);
                u64::from_be_bytes(wide)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text)
                    .map(|uuid| Self(uuid.into_bytes()))
                    .map_err(|_| InvalidId)
            }
        }
    };
}

id! {
    /// An organization: the unit that nothing crosses.
    OrgId
}
id! {
    /// A person's account.
    AccountId
}
id! {
    /// Whoever acts inside an organization: the owner of an access key.
    PrincipalId
}
id! {
    /// A team of an organization.
    TeamId
}
id! {
    /// An invitation to become a member of an organization.
    InvitationId
}
id! {
    /// A grant.
    GrantId
}
id! {
    /// A task that an agent has done: a UUIDv7, so that its time can be read from its name.
    TaskId
}
id! {
    /// A bucket. Its name may be used again after it is deleted; its identifier is not.
    BucketId
}
id! {
    /// A version of an object, as the catalog names it.
    VersionId
}
id! {
    /// A sealed blob: a UUIDv7, so that an orphan's age can be read from its name.
    BlobId
}
id! {
    /// A multipart upload in progress.
    UploadId
}
id! {
    /// A running gateway process.
    NodeId
}
id! {
    /// A root key file or a key of a key service.
    RootId
}

impl OrgId {
    /// Organization 0: accounts, the credential directory, organization states, the platform log.
    /// No permit names it.
    pub const PLATFORM: Self = Self([0; 16]);

    /// Whether this is organization 0.
    pub fn is_platform(&self) -> bool {
        *self == Self::PLATFORM
    }

    /// Twelve digits that stand for it where Amazon's APIs show an account: the last eight bytes of
    /// the identifier, which are chance, as a number below 10^12. Two organizations may share them:
    /// nothing is ever looked up by them.
    pub fn account_number(&self) -> String {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        format!("{:012}", number % 1_000_000_000_000)
    }
}
