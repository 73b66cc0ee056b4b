//! One-time share links: made by who may reveal, opened by whoever holds the token.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::ask::{Ask, done, made, shown};
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::route::{Audience, Route};
use super::secret_view::{
    NewShareView, OpenedShareView, SecretValueView, ShareOpening, ShareRequest, ShareView,
};
use super::secrets::may;
use super::service::Api;
use super::view::{PageView, rfc_3339};
use crate::audit::Decision;
use crate::authz::{
    Action, DescribeSecret, LinkHolder, OfLink, OfSecret, RevealSecret, ShareSecret, open_share,
};
use crate::http::net::Peer;
use crate::http::pipeline::{Answer, Call, Visit};
use crate::vault::{
    FoundShare, Lifetime, NewShare, OpenedShare, Selector, Share, ShareToken, VaultError,
};

/// What is asked about share links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shares {
    Create,
    List,
    Revoke,
}

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/organizations/{org}/secrets/{secret}/shares",
        "ListSecretShares",
        Audience::Organization,
        Endpoint::Shares(Shares::List),
        "Lists the share links of a secret that have not run out, opened ones among them.",
    )
    .does(DescribeSecret::NAME, None)
    .gives::<PageView<ShareView>>(),
    Route::post(
        "/organizations/{org}/secrets/{secret}/shares",
        "ShareSecret",
        Audience::Organization,
        Endpoint::Shares(Shares::Create),
        "Makes a link that shows a version once to whoever holds its token, for as long as who made it is a member or a working agent. Whoever makes one may reveal what it shows.",
    )
    .does(ShareSecret::NAME, None)
    .takes::<ShareRequest>()
    .makes::<NewShareView<'static>>(),
    Route::delete(
        "/organizations/{org}/secrets/{secret}/shares/{share}",
        "RevokeSecretShare",
        Audience::Organization,
        Endpoint::Shares(Shares::Revoke),
        "Takes a share link back.",
    )
    .does(ShareSecret::NAME, None),
];

pub(super) async fn answer(
    api: &Api,
    call: &Call,
    ask: &Ask,
    what: Shares,
) -> Result<Answer, Problem> {
    match what {
        Shares::Create => {
            // An answer that is kept to be sent again would keep the token.
            if ask.idempotency_key()?.is_some() {
                let problem =
                    Problem::invalid("a token is shown once, and kept for no second time");
                return Err(problem.at("idempotency-key"));
            }
            let ShareRequest {
                version,
                lasts_seconds,
            } = ask.json()?;
            let lifetime = match lasts_seconds {
                Some(seconds) => Lifetime::seconds(seconds).ok_or_else(|| {
                    Problem::invalid("a link lasts a minute to seven days").at("lasts_seconds")
                })?,
                None => Lifetime::DEFAULT,
            };
            let which = version.map_or(Selector::Current, Selector::Number);
            let permit = may::<ShareSecret>(api, call, ask).await?;
            let reveal = may::<RevealSecret>(api, call, ask).await?;
            let NewShare { share, token } =
                api.vault.share(permit, reveal, &which, lifetime).await?;
            made(&NewShareView {
                token: &token,
                share: ShareView::from(&share),
            })
        }
        Shares::List => {
            let shares = api
                .vault
                .shares(may::<DescribeSecret>(api, call, ask).await?)
                .await?;
            shown(&PageView {
                items: shares.iter().map(ShareView::from).collect(),
                next: None,
            })
        }
        Shares::Revoke => {
            let permit = may::<ShareSecret>(api, call, ask).await?;
            // An identifier has one spelling; what is none names nothing.
            let sent = ask.segment("share");
            let id = Uuid::try_parse(sent).ok();
            let id = id.filter(|id| id.to_string() == sent);
            let id = id.ok_or(VaultError::NoSuchShare)?;
            api.vault.revoke_share(permit, id.into_bytes()).await?;
            Ok(done())
        }
    }
}

/// Opens a link for whoever holds its token. Unknown, ended, revoked and opened before answer
/// alike; that it was opened before is recorded in the log of the organization whose it is.
pub(super) async fn open(
    api: &Api,
    visit: &Visit,
    peer: &Peer,
    ask: &Ask,
) -> Result<Answer, Problem> {
    let source = peer.address.ip();
    api.tenancy.begin_attempt(source)?;
    let ShareOpening { token } = ask.json()?;
    let token = Zeroizing::new(token);
    match opened(api, visit, &token).await {
        Ok(opened) => {
            api.tenancy.attempt_succeeded(source);
            view(&opened)
        }
        Err(Refused::ByVault(VaultError::NoSuchShare)) => {
            visit.note_refused("a share link that opens nothing");
            Err(VaultError::NoSuchShare.into())
        }
        Err(Refused::ByVault(error)) => Err(error.into()),
        Err(Refused::Otherwise(problem)) => Err(problem),
    }
}

/// Why a link was not opened.
enum Refused {
    ByVault(VaultError),
    Otherwise(Problem),
}

impl<E: Into<Problem>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Otherwise(error.into())
    }
}

async fn opened(api: &Api, visit: &Visit, text: &str) -> Result<OpenedShare, Refused> {
    let vault = &api.vault;
    let token = ShareToken::parse(text).map_err(Refused::ByVault)?;
    let holder = vault.link_holder(&token).await.map_err(Refused::ByVault)?;
    let standing = api.tenancy.standing_of_link(&holder).await?;
    // How the organization stands is told to none who is not of it.
    let permit =
        open_share(&holder, standing).map_err(|_| Refused::ByVault(VaultError::NoSuchShare))?;
    for _ in 0..ATTEMPTS_MAX {
        let ready = match vault.find_share(&permit).await {
            Ok(FoundShare::Ready(ready)) => ready,
            Ok(FoundShare::Opened(path)) => {
                let resource = OfSecret::at(path).to_string();
                let rule = "the share link was opened before".to_owned();
                record(visit, &holder, resource, Decision::Refused { rule }).await?;
                return Err(Refused::ByVault(VaultError::NoSuchShare));
            }
            Err(error) => return Err(damaged(visit, &holder, error).await),
        };
        let resource = OfSecret::at(ready.path().clone());
        let resource = resource.to_string();
        if !api.tenancy.is_at_work(&holder, ready.maker()).await? {
            let rule = "who made the share link is gone, or suspended".to_owned();
            record(visit, &holder, resource, Decision::Refused { rule }).await?;
            return Err(Refused::ByVault(VaultError::NoSuchShare));
        }
        record(visit, &holder, resource.clone(), Decision::Intended).await?;
        match vault.open_share(&permit, &token, *ready).await {
            Ok(opened) => {
                let done = Decision::Allowed { status: 200 };
                if let Err(error) = visit
                    .record_of_link(&holder, OPERATION, resource, done)
                    .await
                {
                    // That it was intended stands in the log already.
                    tracing::error!(request_id = %visit.id(), %error, "an outcome was not recorded");
                }
                return Ok(opened);
            }
            // Somebody was quicker, or a key was rotated: the next look tells.
            Err(VaultError::NoSuchShare | VaultError::Changed) => {}
            Err(error) => return Err(damaged(visit, &holder, error).await),
        }
    }
    Err(Refused::ByVault(VaultError::Changed))
}

async fn record(
    visit: &Visit,
    holder: &LinkHolder,
    resource: String,
    decision: Decision,
) -> Result<(), Refused> {
    Ok(visit
        .record_of_link(holder, OPERATION, resource, decision)
        .await?)
}

/// What is damaged is recorded before it is answered.
async fn damaged(visit: &Visit, holder: &LinkHolder, error: VaultError) -> Refused {
    if let VaultError::Damaged(what) = &error {
        let link = holder.link();
        let decision = Decision::Damaged { what: what.clone() };
        let resource = OfLink { link }.to_string();
        if let Err(refused) = record(visit, holder, resource, decision).await {
            return refused;
        }
    }
    Refused::ByVault(error)
}

fn view(opened: &OpenedShare) -> Result<Answer, Problem> {
    let mut encoded = Zeroizing::default();
    shown(&OpenedShareView {
        kind: opened.kind.into(),
        value: SecretValueView::of(opened.kind, &opened.value, &mut encoded),
    })
}

impl From<&Share> for ShareView {
    fn from(share: &Share) -> Self {
        Self {
            id: Uuid::from_bytes(share.id).to_string(),
            version: share.version,
            made_by: share.by.to_string(),
            is_opened: share.is_opened,
            created_at: rfc_3339(share.created_ms),
            expires_at: rfc_3339(share.expires_ms),
        }
    }
}

const OPERATION: &str = "OpenShare";
/// Each round somebody else has changed the link, which changes once in its life.
const ATTEMPTS_MAX: u32 = 8;
