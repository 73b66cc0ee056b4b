use names::{BucketName, KeyPrefix, ObjectKey, SecretPath, SecretPrefix};

use super::resource::{
    InBucket, InOrganization, OfHome, OfObject, OfSecret, OfSubject, Resource, SubjectKind,
    UnderPath, UnderPrefix,
};

/// The resource that policies name so: what is listed, if it ends with a star; a secret, if it does
/// not, without a policy of its own.
pub fn resource_named(text: &str) -> Option<Box<dyn Resource>> {
    if text == "organization" {
        return Some(Box::new(InOrganization));
    }
    let (kind, rest) = text.split_once(':')?;
    Some(match (kind, rest.strip_suffix('*')) {
        ("drive", beginning) => match (rest.split_once('/'), beginning) {
            (Some((bucket, _)), Some(beginning)) => Box::new(UnderPrefix {
                bucket: BucketName::parse(bucket).ok()?,
                prefix: KeyPrefix::parse(beginning.split_once('/')?.1).ok()?,
            }),
            (Some((bucket, key)), None) => Box::new(OfObject {
                bucket: BucketName::parse(bucket).ok()?,
                key: ObjectKey::parse(key).ok()?,
            }),
            (None, _) => Box::new(InBucket {
                bucket: BucketName::parse(rest).ok()?,
            }),
        },
        ("secret", Some(beginning)) => Box::new(UnderPath {
            prefix: SecretPrefix::parse(beginning).ok()?,
        }),
        ("secret", None) => Box::new(OfSecret::at(SecretPath::parse(rest).ok()?)),
        ("home", None) => Box::new(OfHome {
            agent: rest.parse().ok()?,
        }),
        (kind, beginning) => {
            let kind = subject_kind(kind)?;
            Box::new(match beginning {
                Some("") => OfSubject::all(kind),
                Some(_) => return None,
                None => OfSubject::one(kind, rest),
            })
        }
    })
}

fn subject_kind(text: &str) -> Option<SubjectKind> {
    [
        SubjectKind::Member,
        SubjectKind::Invitation,
        SubjectKind::Team,
        SubjectKind::Agent,
        SubjectKind::Grant,
        SubjectKind::Credential,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == text)
}
