use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use names::{NodeId, Slug};

use super::answer::{Answer, Body, Content};
use super::call::{Arrival, Call, Who};
use super::delivery::deliver;
use super::door::{Deed, Door, DoorError, Fault, Refused, UNKNOWN};
use super::head::Head;
use super::request_id::RequestId;
use crate::audit::{Audit, Decision, PlatformEvent};
use crate::authn::{Authn, AuthnError};
use crate::authz::{Caller, Receipt, Rights, Standing};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::http::net::{Peer, RequestBody};
use crate::metering::Metering;
use crate::telemetry::Metrics;
use crate::tenancy::{Tenancy, TenancyError, Terms};

/// What every call goes through, whichever door it came in by:
///
/// ```text
/// authenticate → read → standing → allowance → intent → authorize → service → record, meter → answer
///      │           │        │          │         │         │          │            │
///      │           └────────┴──────────┴─────────┼─────────┴── what went wrong ───┘
///      │                                         │                     │
///      ▼ the platform's log,                     ▼ the organization's  ▼ the same: refusals and
///        gathered per source                       log, durably          damage durably, the rest
///                                                                        batched
/// ```
///
/// A log that cannot be written refuses the call. If it fails while the call is under way, what
/// was done stands, is answered as unavailable, and is recorded once the log can be written again;
/// what was intended durably is answered as it was done.
pub struct Pipeline {
    pub(super) authn: Authn,
    pub(super) tenancy: Arc<Tenancy>,
    pub(super) audit: Arc<Audit>,
    pub(super) metering: Arc<Metering>,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    /// `x-amz-id-2`: which process answered, opaque to callers.
    pub(super) host: String,
}

impl Pipeline {
    /// Puts it together.
    #[expect(clippy::too_many_arguments, reason = "one of each part")]
    pub fn new(
        node: NodeId,
        authn: Authn,
        tenancy: Arc<Tenancy>,
        audit: Arc<Audit>,
        metering: Arc<Metering>,
        metrics: Metrics,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self {
            authn,
            tenancy,
            audit,
            metering,
            metrics,
            clock,
            entropy,
            host: STANDARD.encode(node.bytes()),
        }
    }

    /// Drops what is kept of proofs that no longer hold. Called after every poll of the catalog.
    pub fn tend(&self) {
        self.authn.tend();
    }

    /// Answers one request that came in by `door`.
    pub async fn answer<D: Door>(
        self: Arc<Self>,
        door: &D,
        request: Request<RequestBody>,
        peer: &Peer,
    ) -> Response<Body> {
        let arrival = Arrival {
            id: RequestId::draw(&self.entropy),
            begun: self.clock.monotonic(),
            source: peer.address.ip(),
        };
        let id = arrival.id;
        let (head, mut body) = Head::split(request);
        let is_head = *head.method() == Method::HEAD;
        let path = head.path().to_owned();
        let refused = Refused {
            id,
            host: &self.host,
            is_head,
            path: &path,
        };

        let (caller, proof) = match door.authenticate(&self.authn, &head, &mut body).await {
            Ok(found) => found,
            Err(error) => return self.turn_away(door, &refused, arrival, error),
        };
        let read = door.read(&head, &proof);
        let organization = read
            .as_ref()
            .ok()
            .and_then(|read| read.organization.as_ref());
        let standing = match self.standing::<D>(&caller, organization).await {
            Ok(standing) => standing,
            Err(error) => return self.turn_away(door, &refused, arrival, error),
        };
        let (who, damage) = match self.look_up(caller, standing).await {
            Ok(found) => found,
            Err(error) => return self.turn_away(door, &refused, arrival, error.into()),
        };
        let (deed, asked) = match read {
            Ok(read) => (read.deed, Ok(read.asked)),
            Err(error) => (Deed::unknown(&path), Err(error)),
        };
        let mut call = Call::begin(Arc::clone(&self), arrival, who, deed);
        if let Some(damage) = damage {
            return self.fail(door, &refused, call, damage.into()).await;
        }
        if let Err(error) = call.admit::<D::Error>().await {
            return self.fail(door, &refused, call, error).await;
        }
        let recordable = match call.check_log() {
            Ok(()) if asked.is_ok() => call.intend().await,
            checked => checked,
        };
        if let Err(error) = recordable {
            let error = D::Error::from(error);
            log_cause(id, call.operation(), error.fault());
            call.close_recorded(error.status(), Receipt::default());
            return self.send(id, door.refuse(&refused, &error));
        }
        let outcome = match asked {
            Ok(asked) => door.perform(&call, proof, asked, head, body).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(answer) => self.finish(door, &refused, call, answer),
            Err(error) => self.fail(door, &refused, call, error).await,
        }
    }

    /// How the caller's organization stands, if it is the one in whose name the host does.
    async fn standing<D: Door>(
        &self,
        caller: &Caller,
        organization: Option<&Slug>,
    ) -> Result<Standing, D::Error> {
        // The host of another organization knows no such credential.
        if let Some(organization) = organization
            && !self.tenancy.is_named(caller, organization).await?
        {
            return Err(AuthnError::UnknownAccessKey.into());
        }
        Ok(self.tenancy.standing(caller).await?)
    }

    /// What the caller may do, in an organization that stands like this. Where what decides it is
    /// damaged the caller is nobody, and is still known: the organization's own log tells of it.
    async fn look_up(
        &self,
        caller: Caller,
        standing: Standing,
    ) -> Result<(Who, Option<TenancyError>), TenancyError> {
        let (rights, terms, damage) = match self.rights_and_terms(&caller, standing).await {
            Ok((rights, terms)) => (rights, terms, None),
            Err(damage @ TenancyError::Damaged(_)) => {
                (Arc::new(Rights::NOBODY), Arc::default(), Some(damage))
            }
            Err(error) => return Err(error),
        };
        let who = Who {
            caller,
            rights,
            standing,
            terms,
        };
        Ok((who, damage))
    }

    async fn rights_and_terms(
        &self,
        caller: &Caller,
        standing: Standing,
    ) -> Result<(Arc<Rights>, Arc<Terms>), TenancyError> {
        let rights = self.tenancy.rights(caller).await?;
        // Where the keys are gone or evicted, everything is refused, whatever the plan.
        let terms = match standing {
            Standing::Active | Standing::Suspended | Standing::Deleting => {
                self.tenancy.terms(caller).await?
            }
            Standing::Sealed | Standing::Destroyed => Arc::default(),
        };
        Ok((rights, terms))
    }

    /// Whoever is not authenticated, for lack of a proof or of a catalog, is in no organization's
    /// log.
    fn turn_away<D: Door>(
        &self,
        door: &D,
        refused: &Refused<'_>,
        arrival: Arrival,
        error: D::Error,
    ) -> Response<Body> {
        match error.fault() {
            Fault::Refused(rule) => self.note_platform(arrival.source, rule.clone()),
            Fault::Damaged(what) => self.note_damage(arrival.source, what),
            Fault::Caller | Fault::Operator(_) => {}
        }
        log_cause(refused.id, UNKNOWN, error.fault());
        let status = error.status();
        self.answered(
            refused.id,
            UNKNOWN,
            status,
            arrival.begun,
            Receipt::default(),
        );
        self.send(refused.id, door.refuse(refused, &error))
    }

    /// Notes and meters what was done, and answers.
    fn finish<D: Door>(
        &self,
        door: &D,
        refused: &Refused<'_>,
        mut call: Call,
        answer: Answer,
    ) -> Response<Body> {
        let Answer {
            head,
            content,
            receipt,
        } = answer;
        let status = head.status();
        let content = match content {
            Content::Stream { length, pieces } if length > 0 => {
                let pieces = deliver(call, status, receipt, Some(length), pieces);
                let head = self.sign(refused.id, head);
                return head.map(|()| Body::stream(Some(length), pieces));
            }
            Content::Open { pieces } => {
                let pieces = deliver(call, status, receipt, None, pieces);
                let head = self.sign(refused.id, head);
                return head.map(|()| Body::stream(None, pieces));
            }
            Content::Stream { .. } | Content::Empty => Bytes::new(),
            Content::Whole(bytes) => bytes,
        };
        match call.close(status, receipt) {
            Ok(()) => self.sign(refused.id, head).map(|()| Body::whole(content)),
            Err(error) => {
                let error = D::Error::from(error);
                log_cause(refused.id, "unrecorded", error.fault());
                self.send(refused.id, door.refuse(refused, &error))
            }
        }
    }

    /// Records what went wrong, durably where it must be, and answers it.
    async fn fail<D: Door>(
        &self,
        door: &D,
        refused: &Refused<'_>,
        mut call: Call,
        error: D::Error,
    ) -> Response<Body> {
        log_cause(refused.id, call.operation(), error.fault());
        let recorded = match error.fault() {
            Fault::Refused(rule) => {
                let rule = rule.clone();
                call.record_deed(Decision::Refused { rule }).await
            }
            Fault::Damaged(what) => {
                let decision = Decision::Damaged { what: what.clone() };
                // Its log cannot be written where its keys are what is damaged.
                let recorded = call.record_deed(decision).await;
                recorded.inspect_err(|_| self.note_damage(call.source(), what))
            }
            Fault::Caller | Fault::Operator(_) => {
                let noted = call.close(error.status(), Receipt::default());
                let error = noted.err().map_or(error, D::Error::from);
                return self.send(refused.id, door.refuse(refused, &error));
            }
        };
        let error = recorded.err().map_or(error, D::Error::from);
        call.close_recorded(error.status(), Receipt::default());
        self.send(refused.id, door.refuse(refused, &error))
    }

    /// Notes in the platform's log, gathered by source, that something was found damaged which no
    /// organization's log tells of.
    pub(super) fn note_damage(&self, source: IpAddr, what: &str) {
        self.note_platform(source, format!("damaged: {what}"));
    }

    /// Notes in the platform's log, gathered by source, what somebody was refused who is nobody yet.
    pub(super) fn note_platform(&self, source: IpAddr, what: String) {
        self.audit.note_platform(PlatformEvent {
            at_ms: self.clock.now_ms(),
            source: Some(source),
            what,
        });
    }

    pub(super) fn send(&self, id: RequestId, answer: Answer) -> Response<Body> {
        let content = match answer.content {
            Content::Whole(bytes) => bytes,
            Content::Empty | Content::Stream { .. } | Content::Open { .. } => Bytes::new(),
        };
        self.sign(id, answer.head).map(|()| Body::whole(content))
    }

    /// Says which request is answered, and by whom.
    fn sign(&self, id: RequestId, mut head: Response<()>) -> Response<()> {
        let fields = head.headers_mut();
        for (name, text) in [(REQUEST_ID, id.to_string().as_str()), (ID_2, &self.host)] {
            if let Ok(value) = HeaderValue::from_str(text) {
                fields.insert(name, value);
            }
        }
        head
    }

    /// Counts an answer, and writes its line in the log.
    pub(super) fn answered(
        &self,
        id: RequestId,
        operation: &'static str,
        status: StatusCode,
        begun: Duration,
        receipt: Receipt,
    ) {
        let took = self.clock.monotonic().saturating_sub(begun);
        let Receipt {
            bytes_in,
            bytes_out,
        } = receipt;
        self.metrics.answered(operation, status, took);
        self.metrics.transferred(bytes_in, bytes_out);
        tracing::debug!(
            request_id = %id,
            operation,
            status = status.as_u16(),
            took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            bytes_in,
            bytes_out,
            "answered"
        );
    }
}

/// What is not the caller's turn is an operator's to read.
pub(super) fn log_cause(id: RequestId, operation: &'static str, fault: &Fault) {
    match fault {
        Fault::Caller | Fault::Refused(_) => {}
        Fault::Operator(cause) => tracing::warn!(request_id = %id, operation, cause, "unavailable"),
        Fault::Damaged(cause) => tracing::error!(request_id = %id, operation, cause, "damaged"),
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const ID_2: HeaderName = HeaderName::from_static("x-amz-id-2");
