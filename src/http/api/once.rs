use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::ask::Ask;
use super::problem::Problem;
use super::service::Api;
use crate::authz::keep_answer;
use crate::http::pipeline::{Answer, Call, Content};
use crate::ops::{OpsError, Replay};

impl Api {
    /// Does what was asked; with an idempotency key once, however often it is sent.
    pub(super) async fn once(&self, call: &Call, ask: Ask) -> Result<Answer, Problem> {
        let key = match ask.idempotency_key()? {
            Some(key) if ask.route.method == Method::POST => key,
            _ => return self.dispatch(call, &ask).await,
        };
        let path = ask.path();
        let request = [ask.route.id.as_bytes(), path.as_bytes(), ask.body()];
        let permit = keep_answer(call.caller());
        match self.replays.begin(permit, key, &request).await? {
            Replay::Fresh(pending) => {
                let outcome = self.dispatch(call, &ask).await;
                match &outcome {
                    Ok(Answer {
                        head,
                        content: Content::Whole(body),
                        ..
                    }) => pending.answered(head.status().as_u16(), body).await?,
                    Ok(Answer { head, .. }) => {
                        pending.answered(head.status().as_u16(), &[]).await?;
                    }
                    Err(_) => pending.refused().await?,
                }
                outcome
            }
            Replay::Answered(answered) => {
                let status = StatusCode::from_u16(answered.status).map_err(Problem::internal)?;
                let mut answer = Answer::empty(status);
                let headers = answer.head.headers_mut();
                headers.insert(REPLAYED, HeaderValue::from_static("true"));
                if !answered.body.is_empty() {
                    let kind = HeaderValue::from_static("application/json");
                    headers.insert(CONTENT_TYPE, kind);
                    answer.content = Content::Whole(bytes::Bytes::from_owner(answered.body));
                }
                Ok(answer)
            }
            Replay::UnderWay => Err(Problem::new(
                StatusCode::CONFLICT,
                "request-under-way",
                "a request with this idempotency key is under way",
            )),
            Replay::Another => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "the idempotency key was used for another request",
            )),
        }
    }
}

impl From<OpsError> for Problem {
    fn from(error: OpsError) -> Self {
        match error {
            OpsError::NoSuchOrganization => Self::no_such_organization(),
            OpsError::Busy { .. } | OpsError::LockLost { .. } => {
                Self::new(StatusCode::CONFLICT, "under-way", error.to_string())
            }
            _ => Self::internal(error),
        }
    }
}

pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
