use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::attempts::{Counted, Source};
use super::credential::{Issue, NewCredential};
use super::error::TenancyError;
use super::service::Tenancy;
use crate::authz::{Caller, CredentialKind, Subject};

impl Tenancy {
    /// Counts an attempt to log in as an agent, before it is judged, whether there is such an
    /// agent or not. Attempts from one place are counted together, and once more by the agent that
    /// they name: nobody elsewhere can lock it out.
    pub fn begin_agent_log_in(
        &self,
        agent: &str,
        source: Option<IpAddr>,
    ) -> Result<(), TenancyError> {
        let source = source.map(Source::of);
        self.attempts.from(source)?;
        match self.attempts.on(counted_as(agent), source) {
            Counted::One => Ok(()),
            Counted::TooMany { left, .. } => Err(TenancyError::TooManyAttempts {
                retry_after_seconds: left.as_secs().max(1),
            }),
        }
    }

    /// Makes a token for the agent `agent`, by its identifier, which `shown` has been proven to be
    /// of by an API token of its own. What is made reaches no further, ends with what was shown and
    /// after an hour at most, and logs nobody in itself.
    pub async fn log_in_agent(
        &self,
        agent: &str,
        shown: &Caller,
        source: Option<IpAddr>,
    ) -> Result<NewCredential, TenancyError> {
        let rights = self.rights(shown).await?;
        let is_agents = rights.subject == Subject::Agent && shown.principal().to_string() == agent;
        if !is_agents || shown.kind() != CredentialKind::ApiToken || shown.parent().is_some() {
            return Err(TenancyError::LogInRefused);
        }
        let held = self.credential_of(shown.org(), shown.credential()).await?;
        let (row, _) = held.ok_or(TenancyError::LogInRefused)?;
        let end_ms = self.clock.now_ms() + TOKEN_MS;
        let issue = Issue {
            org: shown.org(),
            principal: shown.principal(),
            kind: CredentialKind::ApiToken,
            narrowing: (**shown.narrowing()).clone(),
            expires_ms: Some(row.expires_ms.unwrap_or(end_ms).min(end_ms)),
            label: Some(LABEL.to_owned()),
            parent: Some(shown.credential().clone()),
            identity: None,
        };
        let made = self.issue(issue).await?;
        let source = source.map(Source::of);
        self.attempts.succeeded(counted_as(agent), source);
        Ok(made)
    }
}

/// As what attempts on an agent are counted: never as an account's.
fn counted_as(agent: &str) -> [u8; 32] {
    let mut digest = Sha256::new_with_prefix(b"agent\0");
    digest.update(agent);
    digest.finalize().into()
}

const TOKEN_MS: u64 = 3_600_000;
/// What tokens that were logged in for are called in lists.
const LABEL: &str = "log-in";
