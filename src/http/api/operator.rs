use names::{AccessKeyId, OrgId, Slug};
use zeroize::Zeroizing;

use super::account_view::{AccountView, SignUp};
use super::ask::{Ask, done, made, shown};
use super::billing;
use super::credential_view::{AccessKeyRequest, AccessKeyView, NewAccessKeyView};
use super::endpoint::Endpoint;
use super::organization::{OfOrganization, usage_of};
use super::organization_view::{DestructionRequest, OrganizationView};
use super::plans;
use super::problem::Problem;
use super::provision;
use super::provision_view::{NewOrganization, ProvisionedView};
use super::public::{chosen, email_of, label};
use super::route::{Audience, PAGED, Route};
use super::service::Api;
use super::usage;
use super::view::PageView;
use crate::authz::read_usage_as_operator;
use crate::http::pipeline::Answer;
use crate::ops::{Act, Certificate};
use crate::tenancy::{NewAccount, Transition};

/// What the platform's operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperatorDoes {
    CreateOrganization,
    ListOrganizations,
    ChangeState(Transition),
    Destroy,
    Certify,
    CreateAccessKey,
    ListAccessKeys,
    RevokeAccessKey,
    CreateAccount,
}

pub(super) const ROUTES: &[Route] = &[
    Route::post(
        "/organizations",
        "CreateOrganization",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::CreateOrganization),
        "Makes an organization with keys of its own, and with an idempotency key all that the call \
         and its template name; sent again, it goes on with the same one.",
    )
    .takes::<NewOrganization>()
    .makes::<ProvisionedView<'static>>(),
    Route::get(
        "/organizations",
        "ListOrganizations",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::ListOrganizations),
        "Lists organizations by age.",
    )
    .asks(PAGED)
    .gives::<PageView<OrganizationView>>(),
    Route::post(
        "/organizations/{org}/suspend",
        "SuspendOrganization",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::ChangeState(Transition::Suspend)),
        "Lets an organization be read only.",
    )
    .gives::<OrganizationView>(),
    Route::post(
        "/organizations/{org}/resume",
        "ResumeOrganization",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::ChangeState(Transition::Resume)),
        "Lets a suspended organization be worked in again.",
    )
    .gives::<OrganizationView>(),
    Route::post(
        "/organizations/{org}/seal",
        "SealOrganization",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::ChangeState(Transition::Seal)),
        "Evicts an organization's keys: every call is refused until it is unsealed.",
    )
    .gives::<OrganizationView>(),
    Route::post(
        "/organizations/{org}/unseal",
        "UnsealOrganization",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::ChangeState(Transition::Unseal)),
        "Lets a sealed organization be worked in again.",
    )
    .gives::<OrganizationView>(),
    Route::post(
        "/organizations/{org}/destroy",
        "DestroyOrganization",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::Destroy),
        "Destroys an organization's keys at once, and with them all that it has, for good; one that \
         was destroyed is named by its identifier. Certifies how that stands.",
    )
    .takes::<DestructionRequest>()
    .gives::<Certificate>(),
    Route::get(
        "/organizations/{org}/certificate",
        "GetCertificate",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::Certify),
        "Goes on with what is outstanding of an organization that was destroyed, named by its \
         identifier, and certifies how that stands.",
    )
    .gives::<Certificate>(),
    Route::post(
        "/organizations/{org}/access-keys",
        "CreateAccessKey",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::CreateAccessKey),
        "Makes an access key for an organization as a whole; its secret is shown this once.",
    )
    .takes::<AccessKeyRequest>()
    .makes::<NewAccessKeyView<'static>>(),
    Route::get(
        "/organizations/{org}/access-keys",
        "ListAccessKeys",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::ListAccessKeys),
        "Lists the access keys of an organization, without their secrets.",
    )
    .asks(PAGED)
    .gives::<PageView<AccessKeyView>>(),
    Route::delete(
        "/organizations/{org}/access-keys/{key}",
        "RevokeAccessKey",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::RevokeAccessKey),
        "Revokes an access key for good.",
    ),
    Route::post(
        "/operator/accounts",
        "CreateAccount",
        Audience::Operator,
        Endpoint::Operator(OperatorDoes::CreateAccount),
        "Makes an account with its personal organization.",
    )
    .takes::<SignUp>()
    .makes::<AccountView>(),
];

pub(super) async fn answer(
    api: &Api,
    act: &Act<'_>,
    ask: &Ask,
    endpoint: Endpoint,
) -> Result<Answer, Problem> {
    let what = match endpoint {
        Endpoint::Operator(what) => what,
        Endpoint::Organization(OfOrganization::Show) => {
            let found = api.administration.organization(act, &slug(ask)?).await?;
            return shown(&OrganizationView::from(&found));
        }
        Endpoint::Organization(OfOrganization::Usage) => {
            let found = api.administration.organization(act, &slug(ask)?).await?;
            let permit = read_usage_as_operator(act.operator, found.org);
            return usage_of(api, permit, ask).await;
        }
        Endpoint::Usage(what) => return usage::answer_operator(api, act, ask, what).await,
        Endpoint::Billing(what) => return billing::answer_operator(api, act, ask, what).await,
        Endpoint::Plans(what) => return plans::answer_operator(api, act, ask, what).await,
        _ => return Err(Problem::not_for_you("this is for members and agents")),
    };
    match what {
        OperatorDoes::CreateOrganization => provision::create(api, act, ask).await,
        OperatorDoes::ListOrganizations => {
            let page = ask.page(|after| after.parse::<OrgId>().ok())?;
            let found = api
                .administration
                .organizations(act, page.after, page.max())
                .await?;
            let (found, next) = page.cut(found, |organization| organization.org.to_string());
            shown(&PageView {
                items: found.iter().map(OrganizationView::from).collect(),
                next,
            })
        }
        OperatorDoes::ChangeState(transition) => {
            let changed = api
                .administration
                .change_state(act, &slug(ask)?, transition)
                .await?;
            shown(&OrganizationView::from(&changed))
        }
        OperatorDoes::Destroy => {
            let DestructionRequest { confirm } = ask.json()?;
            let named = ask.segment("org");
            if confirm != named {
                let problem = "it names another organization than the path: nothing was destroyed";
                return Err(Problem::invalid(problem).at("confirm"));
            }
            let org = match named.parse::<OrgId>() {
                Ok(org) => org,
                Err(_) => {
                    let slug = slug(ask)?;
                    api.administration.organization(act, &slug).await?.org
                }
            };
            let destroyed = api.administration.destroy(act, &api.destroyer, org);
            shown(&destroyed.await?)
        }
        OperatorDoes::Certify => {
            let org = ask.segment("org").parse::<OrgId>();
            let org = org.map_err(|_| Problem::no_such_organization())?;
            shown(&api.destroyer.certificate(act.operator, org).await?)
        }
        OperatorDoes::CreateAccessKey => {
            let AccessKeyRequest { scope } = ask.json()?;
            let recorded = api
                .administration
                .record_access_key(act, &slug(ask)?, scope.into())
                .await?;
            let key = api.administration.activate(act, recorded).await?;
            made(&NewAccessKeyView::from(&key))
        }
        OperatorDoes::ListAccessKeys => {
            let page = ask.page(|after| AccessKeyId::parse(after).ok())?;
            let found = api
                .administration
                .access_keys(act, &slug(ask)?, page.after.as_ref(), page.max())
                .await?;
            let (found, next) = page.cut(found, |key| key.id.to_string());
            shown(&PageView {
                items: found.iter().map(AccessKeyView::from).collect(),
                next,
            })
        }
        OperatorDoes::RevokeAccessKey => {
            let id = AccessKeyId::parse(ask.segment("key"))
                .map_err(|_| Problem::no_such("access key"))?;
            api.administration
                .revoke_access_key(act, &slug(ask)?, &id)
                .await?;
            Ok(done())
        }
        OperatorDoes::CreateAccount => {
            let SignUp {
                email,
                password,
                name,
            } = ask.json()?;
            let password = Zeroizing::new(password);
            let wish = NewAccount {
                email: email_of(&email)?,
                name: label(&name, "name")?,
                password: chosen(password.to_string())?,
            };
            let account = api.administration.create_account(act, wish).await?;
            made(&AccountView::from(&account))
        }
    }
}

/// A segment that is no slug names no organization.
pub(super) fn slug(ask: &Ask) -> Result<Slug, Problem> {
    Slug::parse(ask.segment("org")).map_err(|_| Problem::no_such_organization())
}
