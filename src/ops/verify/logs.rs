use std::collections::BTreeMap;
use std::sync::Arc;

use names::{NodeId, OrgId};
use serde::Serialize;

use super::anchors::Anchors;
use super::verifier::Verifier;
use crate::audit::{AuditReader, Head, ReadError, Report};
use crate::authz::{Operator, read_activity_as_operator};
use crate::catalog::{Catalog, OrgState, PlatformCatalog};
use crate::keyring::{Keyring, KeyringError};
use crate::ops::OpsError;

/// Verifies activity logs against themselves and against the checkpoint file.
pub struct LogVerifier {
    verifier: Verifier,
    catalog: Catalog,
    platform: PlatformCatalog,
    keyring: Arc<Keyring>,
}

/// What verifying one log has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Whose log; organization 0 has the platform's.
    pub organization: String,
    /// How many chains it has.
    pub chains: u64,
    /// How many segments opened.
    pub segments: u64,
    /// How many events they record.
    pub events: u64,
    /// What is wrong. An empty list is a sound log.
    pub findings: Vec<String>,
}

impl LogVerifier {
    /// What verifies on behalf of this process.
    pub fn new(
        verifier: Verifier,
        catalog: Catalog,
        platform: PlatformCatalog,
        keyring: Arc<Keyring>,
    ) -> Self {
        Self {
            verifier,
            catalog,
            platform,
            keyring,
        }
    }

    /// Verifies the log of one organization.
    pub async fn verify(&self, operator: &Operator, org: OrgId) -> Result<LogReport, OpsError> {
        let anchors = self.verifier.anchors().await?;
        let mut report = self.log(operator, org, &anchors).await?;
        report.findings.extend(of_file(&anchors));
        Ok(report)
    }

    /// Verifies the platform's log and that of every organization whose keys are not destroyed.
    pub async fn verify_all(&self, operator: &Operator) -> Result<Vec<LogReport>, OpsError> {
        let anchors = self.verifier.anchors().await?;
        let mut platform = self.log(operator, OrgId::PLATFORM, &anchors).await?;
        platform.findings.extend(of_file(&anchors));
        let mut reports = vec![platform];
        let mut after = None;
        loop {
            let page = self.platform.organizations(after, ORGS_PER_PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(reports);
            };
            after = Some(last.unverified().org);
            for row in page {
                let org = row.unverified().org;
                let keys = self.keyring.open_platform().await?;
                if !keys
                    .verify(row)
                    .is_ok_and(|row| row.state == OrgState::Destroyed)
                {
                    reports.push(self.log(operator, org, &anchors).await?);
                }
            }
        }
    }

    async fn log(
        &self,
        operator: &Operator,
        org: OrgId,
        anchors: &Anchors,
    ) -> Result<LogReport, OpsError> {
        let none = BTreeMap::new();
        let heads: &BTreeMap<NodeId, Head> = anchors.logs.get(&org).unwrap_or(&none);
        let keyring = Arc::clone(&self.keyring);
        let reader = match org.is_platform() {
            true => AuditReader::platform(operator, self.platform.clone(), keyring),
            false => {
                let permit = read_activity_as_operator(operator, org);
                AuditReader::new(&self.catalog, keyring, permit)
            }
        };
        match reader.verify(heads).await {
            Ok(report) => Ok(LogReport::of(&report)),
            Err(ReadError::Catalog(error) | ReadError::Keys(KeyringError::Catalog(error))) => {
                Err(error.into())
            }
            Err(ReadError::Keys(reason)) => Ok(LogReport {
                organization: org.to_string(),
                chains: 0,
                segments: 0,
                events: 0,
                findings: vec![format!("its keys cannot be had: {reason}")],
            }),
        }
    }
}

impl LogReport {
    fn of(report: &Report) -> Self {
        let findings = report.chains.iter().flat_map(|chain| {
            let node = chain.node;
            let findings = chain.findings.iter();
            findings.map(move |finding| format!("chain {node}: {finding}"))
        });
        Self {
            organization: report.org.to_string(),
            chains: report.chains.len() as u64,
            segments: report.chains.iter().map(|chain| chain.segments).sum(),
            events: report.chains.iter().map(|chain| chain.events).sum(),
            findings: findings.collect(),
        }
    }
}

fn of_file(anchors: &Anchors) -> impl Iterator<Item = String> {
    anchors.findings.iter().map(ToString::to_string)
}

const ORGS_PER_PAGE: u32 = 256;
