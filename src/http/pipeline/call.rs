use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use names::{BucketName, SecretPath};

use super::door::{Deed, DoorError, Intent};
use super::request_id::RequestId;
use super::serve::Pipeline;
use super::witness::Witness;
use crate::audit::{AuditError, Decision, SignIn, SignInMethod};
use crate::authz::{
    Access, Action, Allowance, Area, Caller, OfSecret, Permit, Receipt, Refusal, Rights, Rule,
    Standing, action_named, authorize, record_usage,
};
use crate::metering::{CreditError, Done, Nearing, NotAdmitted, Use};
use crate::tenancy::{TenancyError, Terms};
use crate::vault::{Vault, VaultError};

/// One call of an authenticated caller, from its authentication to the end of its answer. It is
/// recorded exactly once, also when the client breaks off and nobody is left to be answered.
pub struct Call {
    witness: Witness,
    begun: Duration,
    standing: Standing,
    terms: Arc<Terms>,
    deed: Deed,
    /// The rule of the first permit for the deed's own action.
    rule: OnceLock<Rule>,
    /// The rule of the first permit for another.
    other_rule: OnceLock<Rule>,
    made: OnceLock<String>,
    /// The bucket that the deed is done in.
    bucket: Option<BucketName>,
    is_admitted: bool,
    is_closed: bool,
}

/// A request that has come in.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) id: RequestId,
    pub(super) begun: Duration,
    pub(super) source: IpAddr,
}

/// Who calls, what that principal may do, and how its organization stands.
pub(super) struct Who {
    pub(super) caller: Caller,
    pub(super) rights: Arc<Rights>,
    pub(super) standing: Standing,
    /// What it may have and use, and what that costs.
    pub(super) terms: Arc<Terms>,
}

impl Call {
    /// Lets the caller do `A` to `resource`, or says by which rule not. The log names the rule of
    /// the first permit for the deed's own action, or of the first of all.
    pub fn permit<A: Action>(&self, resource: A::Resource) -> Result<Permit<A>, Refusal> {
        let permit = authorize(self.caller(), self.rights(), self.standing, resource)?
            .within(self.terms.limits);
        let is_deeds = A::NAME == self.deed.action;
        let slot = if is_deeds {
            &self.rule
        } else {
            &self.other_rule
        };
        slot.get_or_init(|| permit.rule());
        Ok(permit)
    }

    /// The same of a secret of the caller's organization, which may say itself who may do what to
    /// it.
    pub async fn permit_secret<A, E>(&self, vault: &Vault, path: SecretPath) -> Result<Permit<A>, E>
    where
        A: Action<Resource = OfSecret>,
        E: From<VaultError> + From<Refusal>,
    {
        let secret = self.secret(vault, path).await?;
        Ok(self.permit(secret)?)
    }

    /// A secret of the caller's organization as rights judge it.
    pub async fn secret(&self, vault: &Vault, path: SecretPath) -> Result<OfSecret, VaultError> {
        vault.secret(self.caller(), self.standing, path).await
    }

    /// Leave to use resources.
    pub fn allowance(&self) -> Allowance {
        self.witness.pipeline.metering.allow(self.caller())
    }

    /// The time.
    pub fn now_ms(&self) -> u64 {
        self.witness.pipeline.clock.now_ms()
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.witness.caller
    }

    /// What the caller may do now, before its credential narrows it.
    pub fn rights(&self) -> &Arc<Rights> {
        &self.witness.rights
    }

    /// How the caller's organization stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Records durably, in the log of the other organization, that the caller's account signed in
    /// there with a session that was just made for it.
    pub async fn admit_switch<E: DoorError>(&self, token: &str) -> Result<(), E> {
        let pipeline = &self.witness.pipeline;
        let caller = pipeline.authn.bearer(token).await?;
        let rights = pipeline.tenancy.rights(&caller).await?;
        let sign_in = SignIn {
            at_ms: pipeline.clock.now_ms(),
            request_id: self.witness.id.to_string(),
            source: self.witness.source,
            method: SignInMethod::Switch,
        };
        Ok(pipeline.audit.signed_in(&caller, &rights, sign_in).await?)
    }

    /// Says what the deed came to be done to, where the request could not name it: what was made.
    /// The outcome is recorded of that.
    pub fn made(&self, resource: String) {
        self.made.get_or_init(|| resource);
    }

    /// Who records beside the deed while the answer is still being made.
    pub fn witness(&self) -> Witness {
        self.witness.clone()
    }

    /// Notes something that the call does beside the deed that it is recorded by, with the rule of
    /// its permit: the read of a copy's source, one deletion of many.
    pub fn note(
        &self,
        action: &'static str,
        resource: String,
        rule: Option<Rule>,
        decision: Decision,
    ) -> Result<(), AuditError> {
        let receipt = Receipt::default();
        self.witness.note(action, resource, rule, decision, receipt)
    }

    /// Records durably something beside the deed: that it was found damaged, or that it is about
    /// to be shown, one secret of many.
    pub async fn record(
        &self,
        action: &'static str,
        resource: String,
        rule: Option<Rule>,
        decision: Decision,
    ) -> Result<(), AuditError> {
        self.witness.record(action, resource, rule, decision).await
    }

    pub(super) fn begin(pipeline: Arc<Pipeline>, arrival: Arrival, who: Who, deed: Deed) -> Self {
        let Arrival { id, begun, source } = arrival;
        let Who {
            caller,
            rights,
            standing,
            terms,
        } = who;
        // Nothing is called after it but what lies in it.
        let bucket = match action_named(deed.action) {
            Some(action) if action.area == Area::Drive => {
                let name = deed.resource.split('/').next();
                name.and_then(|name| BucketName::parse(name).ok())
            }
            _ => None,
        };
        let witness = Witness {
            pipeline,
            id,
            source,
            caller,
            rights,
            operation: deed.operation,
        };
        Self {
            witness,
            begun,
            standing,
            terms,
            deed,
            rule: OnceLock::new(),
            other_rule: OnceLock::new(),
            made: OnceLock::new(),
            bucket,
            is_admitted: false,
            is_closed: false,
        }
    }

    /// Names the request, in its answer and in logs.
    pub fn id(&self) -> RequestId {
        self.witness.id
    }

    /// From where it came.
    pub(super) fn source(&self) -> IpAddr {
        self.witness.source
    }

    pub(super) fn operation(&self) -> &'static str {
        self.witness.operation
    }

    /// Whether the log will take what is about to be done.
    pub(super) fn check_log(&self) -> Result<(), AuditError> {
        self.witness.check_log()
    }

    /// Counts the request, if what the plan of the caller's organization allows is not used up, and
    /// notes which limits come near.
    pub(super) async fn admit<E: DoorError>(&mut self) -> Result<(), E> {
        let action = action_named(self.deed.action);
        let what = match action.map(|action| (action.area, action.access)) {
            Some((Area::Billing, _) | (Area::Own, Access::Read) | (_, Access::Govern)) => Use::Free,
            Some((_, Access::Read)) => Use::Read,
            Some(_) => Use::Write,
            // What an account does with itself is no organization's: it may go to another one.
            None => Use::Free,
        };
        let metering = &self.witness.pipeline.metering;
        let admitted = metering.admit(self.caller(), &self.terms, what).await;
        let near = match admitted {
            Ok(near) => near,
            Err(NotAdmitted::Refused(refusal)) => return Err(refusal.into()),
            Err(NotAdmitted::Credit(CreditError::Damaged(what))) => {
                return Err(TenancyError::Damaged(what).into());
            }
            Err(unknown) => return Err(TenancyError::Unavailable(unknown.to_string()).into()),
        };
        self.is_admitted = true;
        for Nearing { limit, used, max } in near {
            let what = format!("{used} of {max} are used");
            let resource = format!("limit:{limit}");
            self.note(NEAR_LIMIT, resource, None, Decision::Stated { what })?;
        }
        Ok(())
    }

    /// Records what is about to be tried, where that has to stand in the log first.
    pub(super) async fn intend(&self) -> Result<(), AuditError> {
        match self.deed.intent {
            Intent::None => Ok(()),
            Intent::Durable => self.record_deed(Decision::Intended).await,
        }
    }

    /// Records durably, before the answer leaves, that the caller was refused or that something
    /// is damaged.
    pub(super) async fn record_deed(&self, decision: Decision) -> Result<(), AuditError> {
        let Deed {
            action, resource, ..
        } = &self.deed;
        let rule = match decision {
            Decision::Refused { .. } => None,
            _ => self.rule(),
        };
        self.record(action, resource.clone(), rule, decision).await
    }

    /// Notes what was answered, and counts it. The call is closed, whatever is returned.
    ///
    /// What was intended stands in the log already, so that it was done is no secret to it even if
    /// the outcome cannot be noted.
    pub(super) fn close(&mut self, status: StatusCode, receipt: Receipt) -> Result<(), AuditError> {
        let decision = Decision::Allowed {
            status: status.as_u16(),
        };
        let resource = std::mem::take(&mut self.deed.resource);
        let resource = self.made.take().unwrap_or(resource);
        let rule = self.rule();
        let action = self.deed.action;
        let noted = self.witness.note(action, resource, rule, decision, receipt);
        self.close_recorded(status, receipt);
        match noted {
            Err(error) if self.deed.intent == Intent::Durable => {
                tracing::error!(request_id = %self.id(), %error, "an outcome was not recorded");
                Ok(())
            }
            noted => noted,
        }
    }

    /// Counts what was answered to a call that has been recorded already.
    pub(super) fn close_recorded(&mut self, status: StatusCode, receipt: Receipt) {
        self.is_closed = true;
        let Witness {
            pipeline,
            id,
            caller,
            operation,
            ..
        } = &self.witness;
        let metering = &pipeline.metering;
        if self.is_admitted {
            let done = Done {
                action: status.is_success().then_some(self.deed.action),
                bucket: self.bucket.take(),
            };
            match status.is_server_error() {
                true => metering.release(caller),
                false => metering.record(record_usage(caller), &self.terms, done, receipt),
            }
            let action = action_named(self.deed.action);
            if status.is_success() && action.is_some_and(|one| one.access == Access::Write) {
                metering.changed(caller);
            }
        }
        pipeline.answered(*id, operation, status, self.begun, receipt);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn rule(&self) -> Option<Rule> {
        self.rule.get().or(self.other_rule.get()).copied()
    }
}

/// A call that is given up under way may have done its work: a client that resets its stream right
/// after a deletion would otherwise leave no trace of it.
impl Drop for Call {
    fn drop(&mut self) {
        if self.is_closed {
            return;
        }
        let status = match StatusCode::from_u16(CLIENT_CLOSED_REQUEST) {
            Ok(status) if !std::thread::panicking() => status,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if let Err(error) = self.close(status, Receipt::default()) {
            tracing::error!(request_id = %self.id(), %error, "a call given up was not recorded");
        }
    }
}

/// What the activity log calls it when a limit comes near.
const NEAR_LIMIT: &str = "bulkhead:NearLimit";
/// What nginx logs when nobody is left to be answered.
const CLIENT_CLOSED_REQUEST: u16 = 499;
