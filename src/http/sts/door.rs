use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body::Body as _;
use http_body_util::BodyExt;
use wire::sigv4;
use wire::sts::{
    Action as Operation, AssumeRoleWithWebIdentity, ErrorCode, Form, Refusal as Unreadable,
    Request as Asked,
};
use zeroize::Zeroizing;

use super::error::StsError;
use super::role::{Assumed, no_such_role, resource};
use super::{answer, sessions};
use crate::authn::{Authn, OpenId, Vouched};
use crate::authz::{Action, Caller, CreateOwnCredential, InOrganization, ShowSelf};
use crate::clock::Clock;
use crate::http::net::RequestBody;
use crate::http::pipeline::{Answer, Call, Deed, Door, Head, Intent, Read, Refused};
use crate::tenancy::Tenancy;

/// The API of AWS Security Token Service.
pub struct Sts {
    tenancy: Arc<Tenancy>,
    open_id: Arc<OpenId>,
    clock: Clock,
}

/// What a caller has shown.
pub enum Proof {
    /// A signature over this form.
    Signed(Result<Form, Unreadable>),
    /// The token of an identity provider.
    Vouched(Box<AssumeRoleWithWebIdentity>, Vouched),
}

impl Sts {
    /// Opens the door.
    pub fn new(tenancy: Arc<Tenancy>, open_id: Arc<OpenId>, clock: Clock) -> Self {
        Self {
            tenancy,
            open_id,
            clock,
        }
    }

    /// Whether a request at the address that all of Amazon's APIs share is for this one: a form,
    /// or a query that names an action. S3 has neither there.
    pub fn is_asked<B>(request: &Request<B>) -> bool {
        if request.uri().path() != "/" {
            return false;
        }
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.as_bytes().split(|byte| *byte == b';').next());
        let is_form = kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(FORM));
        let names_action = || {
            let query = request.uri().query().unwrap_or_default();
            query.split('&').any(|pair| pair.starts_with("Action="))
        };
        match *request.method() {
            Method::POST => is_form || names_action(),
            Method::GET => names_action(),
            _ => false,
        }
    }

    pub(super) fn tenancy(&self) -> &Tenancy {
        &self.tenancy
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whoever an identity provider vouches for. An identity that is linked to nobody, or to
    /// another agent than the one that is asked for, and an organization that does not exist are
    /// one answer, after the same work.
    async fn vouched(&self, form: &Form) -> Result<(Caller, Proof), StsError> {
        let operation = Operation::AssumeRoleWithWebIdentity;
        let Asked::AssumeRoleWithWebIdentity(asked) = Asked::parse(operation, form)? else {
            return Err(ErrorCode::InvalidAction.into());
        };
        let vouched = self.open_id.vouched(&asked.token).await?;
        let linked = self.tenancy.agent_of(vouched.org(), vouched.identity());
        let agent = match linked.await? {
            Some(agent)
                if Assumed::of(&asked.session.role, &vouched.org().account_number())
                    == Some(Assumed::Agent(agent)) =>
            {
                agent
            }
            _ => return Err(no_such_role(operation.name())),
        };
        let session = self.tenancy.draw_session_id()?;
        let caller = vouched.caller(agent, session);
        Ok((caller, Proof::Vouched(Box::new(asked), vouched)))
    }
}

impl Door for Sts {
    type Asked = Result<Asked, Unreadable>;
    type Proof = Proof;
    type Error = StsError;

    async fn authenticate(
        &self,
        authn: &Authn,
        head: &Head,
        body: &mut RequestBody,
    ) -> Result<(Caller, Proof), StsError> {
        let body = read(body).await?;
        let form = Form::parse(head.query(), &body);
        if let Ok(form) = &form
            && Operation::of(form) == Ok(Operation::AssumeRoleWithWebIdentity)
        {
            return self.vouched(form).await;
        }
        let fields = head.fields();
        let request = sigv4::Request {
            method: head.method().as_str(),
            path: head.path(),
            query: head.query(),
            headers: &fields,
        };
        let (caller, _) = authn.sigv4_over(&request, &body, SERVICE).await?;
        Ok((caller, Proof::Signed(form)))
    }

    fn read(&self, _: &Head, proof: &Proof) -> Result<Read<Self::Asked>, StsError> {
        let (operation, asked, resource) = match proof {
            Proof::Vouched(asked, _) => {
                let session = &asked.session;
                let resource = resource(&session.role, &session.session_name);
                // What is asked for stays with the proof.
                let asked = Err(ErrorCode::InvalidAction.into());
                (Operation::AssumeRoleWithWebIdentity, asked, resource)
            }
            Proof::Signed(form) => {
                let form = form.as_ref().map_err(Clone::clone)?;
                let operation = Operation::of(form)?;
                let asked = Asked::parse(operation, form);
                let resource = match &asked {
                    Ok(Asked::AssumeRole(asked)) => resource(&asked.role, &asked.session_name),
                    _ => InOrganization.to_string(),
                };
                (operation, asked, resource)
            }
        };
        let makes = operation != Operation::GetCallerIdentity;
        let is_sound = asked.is_ok() || matches!(proof, Proof::Vouched(..));
        Ok(Read {
            organization: None,
            deed: Deed {
                operation: operation.name(),
                action: match makes {
                    true => CreateOwnCredential::NAME,
                    false => ShowSelf::NAME,
                },
                resource,
                intent: match makes && is_sound {
                    true => Intent::Durable,
                    false => Intent::None,
                },
            },
            asked,
        })
    }

    async fn perform(
        &self,
        call: &Call,
        proof: Proof,
        asked: Self::Asked,
        _: Head,
        _: RequestBody,
    ) -> Result<Answer, StsError> {
        if let Proof::Vouched(asked, vouched) = proof {
            return sessions::of_identity(self, call, &asked, &vouched).await;
        }
        match asked? {
            Asked::GetCallerIdentity => sessions::identity(self, call).await,
            Asked::GetSessionToken { duration_seconds } => {
                sessions::of_caller(self, call, duration_seconds).await
            }
            Asked::AssumeRole(asked) => sessions::of_role(self, call, &asked).await,
            // That is asked for without a signature.
            Asked::AssumeRoleWithWebIdentity(_) => Err(ErrorCode::InvalidAction.into()),
        }
    }

    fn refuse(&self, request: &Refused<'_>, error: &StsError) -> Answer {
        answer::refusal(request, error)
    }
}

/// Reads the whole body, which the signature covers.
async fn read(body: &mut RequestBody) -> Result<Zeroizing<Vec<u8>>, StsError> {
    let hint = body.size_hint();
    let length = usize::try_from(hint.upper().unwrap_or(hint.lower())).unwrap_or(usize::MAX);
    if length > BODY_BYTES_MAX {
        return Err(ErrorCode::RequestEntityTooLarge.into());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ErrorCode::MalformedQueryString)?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > BODY_BYTES_MAX {
                return Err(ErrorCode::RequestEntityTooLarge.into());
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

/// What signatures name.
const SERVICE: &str = "sts";
const FORM: &[u8] = b"application/x-www-form-urlencoded";
/// The longest token and the longest policy, encoded.
const BODY_BYTES_MAX: usize = 64 << 10;
