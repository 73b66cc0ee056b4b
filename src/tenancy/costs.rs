use names::{PrincipalId, TeamId};

use super::agent::AgentBody;
use super::error::TenancyError;
use super::member::MemberBody;
use super::service::Tenancy;
use super::team::{TeamBody, TeamSeatBody};
use crate::authz::{Permit, ReadUsage};

/// Who makes costs, and for whom: what usage is told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostCenter {
    /// Who.
    pub principal: PrincipalId,
    /// What it is.
    pub kind: CostCenterKind,
    /// The department that bears an agent's costs.
    pub department: Option<String>,
    /// The project that they are made for.
    pub project: Option<String>,
    /// The teams that it is in, and what people call them.
    pub teams: Vec<(TeamId, String)>,
}

/// What makes costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CostCenterKind {
    /// An agent, and what people call it.
    Agent(String),
    /// A member.
    Member,
}

impl Tenancy {
    /// All who make costs in the organization, as they are now: whoever is gone is not among them.
    pub async fn cost_centers(
        &self,
        permit: &Permit<ReadUsage>,
    ) -> Result<Vec<CostCenter>, TenancyError> {
        let org = permit.org();
        let teams = self.all_records::<TeamBody>(org, None).await?;
        let seats = self.all_records::<TeamSeatBody>(org, None).await?;
        let teams_of = |principal: [u8; 16]| -> Vec<(TeamId, String)> {
            let seats = seats
                .iter()
                .filter(|seat| seat.row.parent == Some(principal));
            // A seat that was left over seats nobody.
            let teams = seats.filter_map(|seat| {
                let team = teams.iter().find(|team| team.row.id == seat.body.team)?;
                Some((TeamId::from_bytes(team.row.id), team.team().name))
            });
            teams.collect()
        };
        let mut all = Vec::new();
        for held in self.all_records::<AgentBody>(org, None).await? {
            let agent = held.agent()?;
            let text = |label: super::text::Label| label.as_str().to_owned();
            all.push(CostCenter {
                principal: agent.id,
                kind: CostCenterKind::Agent(text(agent.profile.name)),
                department: agent.profile.department.map(text),
                project: agent.profile.project.map(text),
                teams: teams_of(held.row.id),
            });
        }
        for held in self.all_records::<MemberBody>(org, None).await? {
            all.push(CostCenter {
                principal: PrincipalId::from_bytes(held.row.id),
                kind: CostCenterKind::Member,
                department: None,
                project: None,
                teams: teams_of(held.row.id),
            });
        }
        Ok(all)
    }
}
