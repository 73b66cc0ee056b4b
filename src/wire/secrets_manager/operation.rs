use super::error::{ErrorCode, Refusal};

/// What `X-Amz-Target` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An operation that is there.
    Built(Operation),
    /// One that Amazon documents and that is not, by its name.
    NotBuilt(&'static str),
}

macro_rules! operations {
    ($($operation:ident)*; not built: $($absent:ident)*) => {
        /// The operations that are there.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation {
            $(
                #[doc = concat!("`", stringify!($operation), "` of the API reference.")]
                $operation
            ),*
        }

        impl Operation {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$operation),*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$operation => stringify!($operation)),*
                }
            }
        }

        impl Target {
            /// What the API reference documents besides.
            pub const NOT_BUILT: &[&'static str] = &[$(stringify!($absent)),*];
        }
    };
}

operations! {
    BatchGetSecretValue
    CreateSecret
    DeleteResourcePolicy
    DeleteSecret
    DescribeSecret
    GetRandomPassword
    GetResourcePolicy
    GetSecretValue
    ListResourcePolicies
    ListSecretVersionIds
    ListSecrets
    PutResourcePolicy
    PutSecretValue
    RestoreSecret
    TagResource
    UntagResource
    UpdateSecret
    UpdateSecretVersionStage
    ValidateResourcePolicy;

    not built:
    AssociateCrossAccountReplica
    CancelRotateSecret
    DisassociateCrossAccountReplica
    RemoveRegionsFromReplication
    ReplicateSecretToRegions
    RotateSecret
    StopReplicationToReplica
}

impl Target {
    /// How every target of this service begins: what tells its requests from those of others.
    pub const PREFIX: &str = "secretsmanager.";

    /// Reads the field.
    ///
    /// # Errors
    /// `UnknownOperationException`.
    pub fn parse(field: &str) -> Result<Self, Refusal> {
        let name = field.strip_prefix(Self::PREFIX).unwrap_or_default();
        let built = Operation::ALL.iter().find(|built| built.name() == name);
        if let Some(operation) = built {
            return Ok(Self::Built(*operation));
        }
        let absent = Self::NOT_BUILT.iter().find(|absent| **absent == name);
        absent
            .map(|absent| Self::NotBuilt(absent))
            .ok_or(Refusal::new(
                ErrorCode::UnknownOperation,
                "The requested operation is not recognized by the service.",
            ))
    }
}
