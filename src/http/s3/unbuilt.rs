use names::ChecksumAlgorithm;
use wire::s3::ErrorCode;

use super::error::S3Error;
use super::request::{Request, argument};

/// Refuses what a request asks for besides its operation and what is not built: whoever asks for a
/// lock, a tag or a key of their own and gets an object without it has been lied to. Applies to
/// every operation, in fields and in presigned queries.
pub(super) fn check(request: Request<'_>) -> Result<(), S3Error> {
    let unbuilt = |name: &str| {
        UNBUILT
            .iter()
            .find(|(prefix, _)| name.starts_with(prefix))
            .map(|(_, what)| S3Error::not_built(what))
    };
    let fields = request.head.headers().keys();
    if let Some(error) = fields.map(|name| name.as_str()).find_map(unbuilt) {
        return Err(error);
    }
    let mut parameters = request.query.iter();
    if let Some(error) = parameters.find_map(|(name, _)| unbuilt(&name.to_ascii_lowercase())) {
        return Err(error);
    }
    // A checksum that nobody compares would be a promise, too.
    let is_unknown = |name: &str| {
        name.strip_prefix("x-amz-checksum-").is_some_and(|name| {
            let known = ChecksumAlgorithm::ALL.map(|algorithm| algorithm.name().to_lowercase());
            !known.iter().any(|algorithm| algorithm == name)
                && !["algorithm", "mode", "type"].contains(&name)
        })
    };
    let mut fields = request.head.headers().keys();
    if let Some(name) = fields.find(|name| is_unknown(name.as_str())) {
        let message = format!("The checksum in {name} is not supported.");
        return Err(S3Error::new(ErrorCode::InvalidRequest, message));
    }
    for (name, accepted, what) in ACCEPTED {
        let value = request.amz(name).unwrap_or_default();
        if !value.is_empty() && !accepted.contains(&value) {
            return Err(S3Error::not_built(what));
        }
    }
    check_encryption(request)?;
    if let Some(class) = request.amz("x-amz-storage-class")
        && class != "STANDARD"
    {
        return Err(
            S3Error::from(ErrorCode::InvalidStorageClass).with("StorageClassRequested", class)
        );
    }
    for name in [
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
    ] {
        // Every bucket that a caller can name belongs to its own organization.
        let org = request.call.caller().org();
        if request
            .amz(name)
            .is_some_and(|owner| owner != org.to_string())
        {
            return Err(S3Error::refused(
                ErrorCode::AccessDenied,
                "the bucket belongs to another owner than the request expects",
            ));
        }
    }
    Ok(())
}

/// Everything is sealed under the organization's key, which is what SSE-S3 promises. KMS keys are
/// the caller's to name, and none can be named here.
fn check_encryption(request: Request<'_>) -> Result<(), S3Error> {
    match request.amz(ENCRYPTION) {
        None | Some("AES256") => Ok(()),
        Some("aws:kms" | "aws:kms:dsse" | "aws:fsx") => {
            Err(S3Error::not_built("Encryption with keys of a key service"))
        }
        Some(other) => Err(S3Error::from(ErrorCode::InvalidEncryptionAlgorithmError)
            .saying(argument(ENCRYPTION, other).message().to_owned())),
    }
}

/// Fields by how they begin, with what they ask for.
const UNBUILT: [(&str, &str); 8] = [
    (
        "x-amz-server-side-encryption-customer-",
        "Encryption with keys that the client provides",
    ),
    (
        "x-amz-copy-source-server-side-encryption-customer-",
        "Encryption with keys that the client provides",
    ),
    (
        "x-amz-server-side-encryption-aws-kms-key-id",
        "Encryption with keys of a key service",
    ),
    (
        "x-amz-server-side-encryption-context",
        "Encryption with keys of a key service",
    ),
    ("x-amz-object-lock-", "Object Lock"),
    ("x-amz-website-redirect-location", "Website hosting"),
    ("x-amz-grant-", "An access control list"),
    ("x-amz-rename-source", "RenameObject"),
];

/// Fields that are fine with some values only, and what other values ask for.
const ACCEPTED: [(&str, &[&str], &str); 4] = [
    (
        "x-amz-acl",
        // What these grant, the owner's organization has anyway.
        &["private", "bucket-owner-full-control", "bucket-owner-read"],
        "An access control list",
    ),
    ("x-amz-tagging", &[], "Tagging"),
    (
        "x-amz-bucket-object-lock-enabled",
        &["false", "False"],
        "Object Lock",
    ),
    (
        "x-amz-object-ownership",
        &["BucketOwnerEnforced"],
        "Object ownership by writers",
    ),
];
const ENCRYPTION: &str = "x-amz-server-side-encryption";
