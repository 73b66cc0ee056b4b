use names::{BucketName, KeyPrefix, ObjectKey, PrincipalId, SecretPath, SecretPrefix};

use super::error::TenancyError;
use super::service::Tenancy;
use crate::authz::{
    InBucket, InOrganization, OfHome, OfObject, OfSecret, OfSubject, Permit, ReadGrants, Refusal,
    Resource, Rule, SubjectKind, UnderPath, UnderPrefix, action_named, explain_principal,
};

impl Tenancy {
    /// Says by which rule a principal of the organization may do the action that policies name so
    /// to the resource that they name so, or by which rule not. Nothing is done.
    pub async fn explain(
        &self,
        permit: Permit<ReadGrants>,
        principal: PrincipalId,
        action: &str,
        resource: &str,
    ) -> Result<Result<Rule, Refusal>, TenancyError> {
        let action =
            action_named(action).ok_or(TenancyError::Invalid("there is no such action"))?;
        let resource = named(resource).ok_or(TenancyError::Invalid(
            "a resource is organization, drive:bucket/key, secret:path, agent:<id> or another kind \
             and its identifier; a star at its end makes it a listing",
        ))?;
        let rights = self.rights_of(permit.org(), principal).await?;
        let standing = self.known_standing(permit.org()).await?;
        Ok(explain_principal(
            principal, &rights, standing, action, &*resource,
        ))
    }
}

/// The resource that policies name so: what is listed, if it ends with a star.
fn named(text: &str) -> Option<Box<dyn Resource>> {
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
        ("secret", None) => Box::new(OfSecret {
            path: SecretPath::parse(rest).ok()?,
        }),
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
