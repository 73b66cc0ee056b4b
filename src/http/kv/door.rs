use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use names::{AccessKeyId, OrgId, Slug};
use wire::kv::{Place, Query, Target};
use zeroize::Zeroizing;

use super::error::KvError;
use super::routes::{LIST, Operation, Route};
use super::service::{Kv, below_root};
use super::{capabilities, metadata, system, token, values};
use crate::authn::Authn;
use crate::authz::{Caller, InOrganization, OfSecret, OfSubject, Resource, SubjectKind, UnderPath};
use crate::http::net::RequestBody;
use crate::http::pipeline::{Answer, Call, Deed, Door, Head, Read, Refused};

/// A request that has been read.
pub struct Asked {
    route: &'static Route,
    target: Target,
    query: Query,
}

/// The token that was shown.
pub struct Shown {
    /// All of it, for answers that name it as HashiCorp's server does.
    pub(super) token: Zeroizing<String>,
    /// Its public half.
    credential: AccessKeyId,
}

impl Door for Kv {
    type Asked = Asked;
    type Proof = Shown;
    type Error = KvError;

    async fn authenticate(
        &self,
        authn: &Authn,
        head: &Head,
        _: &mut RequestBody,
    ) -> Result<(Caller, Shown), KvError> {
        let token = shown_token(head.headers())?;
        let caller = authn.bearer(&token).await?;
        if !self.is_in_namespace(&caller, head).await? {
            return Err(KvError::no_token());
        }
        let credential = caller.credential().clone();
        Ok((caller, Shown { token, credential }))
    }

    fn read(&self, head: &Head, shown: &Shown) -> Result<Read<Asked>, KvError> {
        // Whoever asks for a value in a wrapping is not given it without.
        if head.headers().contains_key(WRAP_TTL) {
            return Err(KvError::invalid("response wrapping is not offered"));
        }
        let mut target = Target::parse(below_root(head.path()).unwrap_or_default())?;
        let query = Query::parse(head.query())?;
        let mut method = head.method().as_str();
        if method == LIST || method == "GET" && query.is_list {
            (target, method) = (target.listed()?, LIST);
        }
        let route = Route::of(target.place(), method).map_err(|allowed| {
            let text = match target.place() {
                Place::CreateToken => NO_CREATION,
                _ => "unsupported operation",
            };
            KvError::unsupported(text, &allowed)
        })?;
        let is_patch = matches!(
            route.operation,
            Operation::PatchValue | Operation::PatchMetadata
        );
        if is_patch && !is_merge_patch(head.headers()) {
            return Err(KvError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "PATCH requires Content-Type of application/merge-patch+json",
            ));
        }
        let resource = match route.operation {
            Operation::RevokeSelf => {
                OfSubject::one(SubjectKind::Credential, shown.credential.to_string()).to_string()
            }
            _ => resource_of(&target).to_string(),
        };
        Ok(Read {
            organization: None,
            deed: Deed {
                operation: route.name,
                action: route.action.unwrap_or(route.name),
                resource,
                intent: route.intent,
            },
            asked: Asked {
                route,
                target,
                query,
            },
        })
    }

    async fn perform(
        &self,
        call: &Call,
        shown: Shown,
        asked: Asked,
        _: Head,
        body: RequestBody,
    ) -> Result<Answer, KvError> {
        let Asked {
            route,
            target,
            query,
        } = asked;
        let operation = route.operation;
        match target {
            Target::Secret(_, path) => match operation {
                Operation::ReadValue => values::read(self, call, &path, &query).await,
                Operation::ReadSubkeys => values::read_subkeys(self, call, &path, &query).await,
                Operation::WriteValue => {
                    values::write(self, call, &path, &collected(body).await?).await
                }
                Operation::PatchValue => {
                    values::patch(self, call, &path, &collected(body).await?).await
                }
                Operation::DeleteCurrent => values::delete_current(self, call, path).await,
                Operation::ChangeVersions(change) => {
                    values::change_versions(self, call, path, change, &collected(body).await?).await
                }
                Operation::ReadMetadata => metadata::read(self, call, path).await,
                Operation::WriteMetadata => {
                    metadata::write(self, call, &path, &collected(body).await?).await
                }
                Operation::PatchMetadata => {
                    metadata::patch(self, call, path, &collected(body).await?).await
                }
                Operation::DeleteMetadata => metadata::delete(self, call, path).await,
                _ => Err(KvError::not_found()),
            },
            Target::Folder(prefix) => metadata::list(self, call, prefix).await,
            Target::MountOf { is_ours } => system::mount_of(call, is_ours),
            Target::Only(_) => match operation {
                Operation::ReadConfig => metadata::read_config(self, call).await,
                Operation::WriteConfig => {
                    metadata::write_config(self, call, &collected(body).await?).await
                }
                Operation::LookupSelf => token::lookup(self, call, &shown).await,
                Operation::RenewSelf => token::renew(call),
                Operation::RevokeSelf => token::revoke(self, call).await,
                Operation::ReadCapabilities => {
                    capabilities::of_self(self, call, &collected(body).await?).await
                }
                Operation::ReadMounts => system::mounts(call),
                Operation::ReadUiMounts => system::ui_mounts(call),
                _ => Err(KvError::not_found()),
            },
        }
    }

    fn refuse(&self, request: &Refused<'_>, error: &KvError) -> Answer {
        error.to_answer(request.is_head)
    }
}

impl Kv {
    /// Whether every namespace that the request names, if it names any, is the caller's.
    pub(super) async fn is_in_namespace(
        &self,
        caller: &Caller,
        head: &Head,
    ) -> Result<bool, KvError> {
        for named in head.headers().get_all(NAMESPACE) {
            let named = named.to_str().unwrap_or_default();
            if !self.is_in(caller, named).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a namespace is the organization of the caller, by its short name or identifier,
    /// with or without a slash behind. No name means anything else: neither `root` nor none.
    async fn is_in(&self, caller: &Caller, named: &str) -> Result<bool, KvError> {
        let named = named.strip_suffix('/').unwrap_or(named);
        if let Ok(org) = named.parse::<OrgId>() {
            return Ok(org == caller.org() && org.to_string() == named);
        }
        match Slug::parse(named) {
            Ok(slug) => Ok(self.tenancy.is_named(caller, &slug).await?),
            Err(_) => Ok(false),
        }
    }
}

/// What policies call it that a target names.
pub(super) fn resource_of(target: &Target) -> Box<dyn Resource> {
    match target {
        Target::Secret(_, path) => Box::new(OfSecret::at(path.clone())),
        Target::Folder(prefix) => Box::new(UnderPath {
            prefix: prefix.clone(),
        }),
        Target::MountOf { .. } | Target::Only(_) => Box::new(InOrganization),
    }
}

/// Takes a body in, which may hold a value.
pub(super) async fn collected(body: RequestBody) -> Result<Zeroizing<Vec<u8>>, KvError> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(Zeroizing::new(collected.to_bytes().into())),
        Err(error) if error.is::<LengthLimitError>() => Err(KvError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large",
        )),
        Err(_) => Err(KvError::invalid("the body broke off")),
    }
}

/// The one token of a request: in the field of HashiCorp's, or as a bearer (RFC 6750).
fn shown_token(headers: &HeaderMap) -> Result<Zeroizing<String>, KvError> {
    let own = headers.get_all(TOKEN).iter().map(|field| (field, false));
    let bearer = headers.get_all(AUTHORIZATION).iter();
    let mut fields = own.chain(bearer.map(|field| (field, true)));
    let (Some((field, is_bearer)), None) = (fields.next(), fields.next()) else {
        return Err(KvError::no_token());
    };
    let text = field.to_str().map_err(|_| KvError::no_token())?;
    let token = if is_bearer {
        let (scheme, token) = text.split_once(' ').ok_or_else(KvError::no_token)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(KvError::no_token());
        }
        token
    } else {
        text
    };
    Ok(Zeroizing::new(token.to_owned()))
}

fn is_merge_patch(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return false;
    };
    let essence = kind.as_bytes().split(|byte| *byte == b';').next();
    essence.is_some_and(|essence| {
        let essence = essence.trim_ascii();
        essence.eq_ignore_ascii_case(b"application/merge-patch+json")
    })
}

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
const WRAP_TTL: HeaderName = HeaderName::from_static("x-vault-wrap-ttl");
const NO_CREATION: &str = "unsupported operation: tokens are made over /api/v1, and for agents by \
                           auth/approle/login";
/// A value of 64 KiB fits, escaped.
const BODY_BYTES_MAX: usize = 512 << 10;
