use std::io;

use names::Slug;

use super::error::ProvisionError;
use crate::authz::{Scope, Standing};
use crate::ops::{Act, Administration, AdministrationError, RecordedAccessKey};
use crate::tenancy::{Ownership, TenancyError};

/// The first access key of all, to be shown once.
pub struct FirstStart {
    /// The organization that it belongs to.
    pub slug: Slug,
    /// The access key. It works once it has been shown.
    pub access_key: RecordedAccessKey,
}

/// Makes the first organization, `home`, and an access key in it, where there is no organization
/// yet, or only `home` without any access key. Its owner is whoever the operator invites.
///
/// `show` shows the access key, and only then it works: after a crash in between, the next start
/// shows another one, and there is never one that works and that nobody has seen. Two processes
/// that start at once may each show one.
pub async fn first_start(
    act: &Act<'_>,
    administration: &Administration,
    show: impl FnOnce(&FirstStart) -> io::Result<()>,
) -> Result<(), ProvisionError> {
    let slug = Slug::parse(HOME).expect("it is a slug");
    if !awaits_its_first_key(act, administration, &slug).await? {
        return Ok(());
    }
    let access_key = administration
        .record_access_key(act, &slug, Scope::Full)
        .await?;
    let first = FirstStart { slug, access_key };
    show(&first).map_err(ProvisionError::Unseen)?;
    administration.activate(act, first.access_key).await?;
    Ok(())
}

/// Whether the first organization has no access key yet. It is made, if there is none at all.
async fn awaits_its_first_key(
    act: &Act<'_>,
    administration: &Administration,
    slug: &Slug,
) -> Result<bool, ProvisionError> {
    let mut organizations = administration.organizations(act, None, 2).await?;
    if organizations.is_empty() {
        match administration
            .create_organization(act, slug.clone(), Ownership::Provisioned)
            .await
        {
            Ok(_) => return Ok(true),
            // Another process was first.
            Err(AdministrationError::Tenancy(TenancyError::SlugTaken)) => {
                organizations = administration.organizations(act, None, 2).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let [home] = &organizations[..] else {
        return Ok(false);
    };
    let can_have_one = matches!(home.standing, Standing::Active | Standing::Suspended);
    if home.slug.as_ref() != Some(slug) || !can_have_one {
        return Ok(false);
    }
    let access_keys = administration.access_keys(act, slug, None, 1).await?;
    Ok(access_keys.is_empty())
}

const HOME: &str = "home";
