//! Random organizations, members, agents, teams and grants, and random changes of them: what the
//! service allows is what a model that knows no cache, no row and no key allows.

use std::collections::{BTreeMap, BTreeSet};

use names::{GrantId, OrgId, PrincipalId, SecretPath, TeamId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::super::*;
use super::house::*;
use crate::authz::{
    InOrganization, ListBuckets, ManageGrants, ManagePeople, OfSecret, ReadGrants, ReadPeople,
    Role, SubjectKind, UseSecret,
};

/// One change. What a number names is taken round what there is.
#[derive(Debug, Clone)]
enum Step {
    Join {
        org: usize,
        role: Role,
    },
    ChangeRole {
        org: usize,
        whom: usize,
        role: Role,
    },
    Remove {
        org: usize,
        whom: usize,
    },
    MakeAgent {
        org: usize,
    },
    MakeTeam {
        org: usize,
    },
    Seat {
        org: usize,
        team: usize,
        whom: usize,
    },
    Unseat {
        org: usize,
        team: usize,
        whom: usize,
    },
    Grant {
        org: usize,
        to: usize,
        to_team: bool,
        path: usize,
    },
    Revoke {
        org: usize,
        grant: usize,
    },
}

#[derive(Default)]
struct Model {
    members: BTreeMap<PrincipalId, Role>,
    agents: BTreeSet<PrincipalId>,
    /// Whoever was there and is no more.
    gone: BTreeSet<PrincipalId>,
    teams: BTreeMap<TeamId, BTreeSet<PrincipalId>>,
    grants: BTreeMap<GrantId, (GrantSubject, usize)>,
}

impl Model {
    fn may_use(&self, who: PrincipalId, path: usize) -> bool {
        let is_there = self.members.contains_key(&who) || self.agents.contains(&who);
        let by_role = matches!(self.members.get(&who), Some(Role::Owner | Role::Admin));
        let by_grant = self.grants.values().any(|(to, granted)| {
            *granted == path
                && match to {
                    GrantSubject::Member(id) | GrantSubject::Agent(id) => *id == who,
                    GrantSubject::Team(id) => self.teams[id].contains(&who),
                }
        });
        is_there && (by_role || by_grant)
    }

    fn may_list(&self, who: PrincipalId) -> bool {
        matches!(
            self.members.get(&who),
            Some(Role::Owner | Role::Admin | Role::Member | Role::Viewer)
        )
    }

    fn principals(&self) -> Vec<PrincipalId> {
        self.members.keys().chain(&self.agents).copied().collect()
    }

    fn subject(&self, whom: usize) -> GrantSubject {
        let all = self.principals();
        let id = all[whom % all.len()];
        match self.members.contains_key(&id) {
            true => GrantSubject::Member(id),
            false => GrantSubject::Agent(id),
        }
    }
}

#[test]
fn what_is_allowed_is_what_the_model_allows() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    )
    .run(&prop::collection::vec(any_step(), 1..40), |steps| {
        runtime.block_on(follow(&steps));
        Ok(())
    })
    .unwrap();
}

async fn follow(steps: &[Step]) {
    let house = House::new().await;
    let owners = [house.person("ada").await, house.person("eve").await];
    let guest = house.person("guest").await;
    let mut models: [Model; 2] = Default::default();
    for (owner, model) in owners.iter().zip(&mut models) {
        model.members.insert(owner.principal(), Role::Owner);
    }
    for step in steps {
        take(&house, &owners, &guest, &mut models, step).await;
        compare(&house, &owners, &models, step).await;
    }
}

/// Takes a step by an owner, in the service and in the model.
async fn take(
    house: &House,
    owners: &[Person; 2],
    guest: &Person,
    models: &mut [Model; 2],
    step: &Step,
) {
    let at = step.org();
    let (owner, model) = (&owners[at], &mut models[at]);
    let tenancy = house.tenancy();
    let any_of = |all: Vec<PrincipalId>, number: usize| all[number % all.len()];
    let one = async |whom: PrincipalId| {
        house
            .one::<ManagePeople>(&owner.caller, SubjectKind::Member, whom)
            .await
    };
    let teams: Vec<TeamId> = model.teams.keys().copied().collect();
    match *step {
        Step::Join { role, .. } => {
            let invited = house.invite(owner, &guest.email, role).await.unwrap();
            let joined = tenancy.accept_invitation(&guest.signed_in, &invited.token);
            // The guest is one person, and a member once.
            if let Ok(principal) = joined.await {
                model.members.insert(principal, role);
            }
        }
        Step::ChangeRole { whom, role, .. } => {
            let whom = any_of(model.members.keys().copied().collect(), whom);
            // The owner who takes all steps stays one.
            if whom != owner.principal() {
                tenancy
                    .change_role(one(whom).await, role, None)
                    .await
                    .unwrap();
                model.members.insert(whom, role);
            }
        }
        Step::Remove { whom, .. } => {
            let whom = any_of(model.members.keys().copied().collect(), whom);
            let removed = if whom == owner.principal() {
                let owners = model.members.values().filter(|role| **role == Role::Owner);
                if owners.count() > 1 {
                    return;
                }
                let removed = tenancy.remove_member(one(whom).await, None).await;
                assert!(matches!(removed, Err(TenancyError::LastOwner)));
                return;
            } else {
                tenancy.remove_member(one(whom).await, None).await
            };
            removed.unwrap();
            model.members.remove(&whom);
            model.gone.insert(whom);
            for seats in model.teams.values_mut() {
                seats.remove(&whom);
            }
            model
                .grants
                .retain(|_, (to, _)| *to != GrantSubject::Member(whom));
        }
        Step::MakeAgent { .. } => {
            model.agents.insert(house.agent(owner, "agent").await.id);
        }
        Step::MakeTeam { .. } => {
            let permit = house
                .all::<ManagePeople>(&owner.caller, SubjectKind::Team)
                .await;
            let team = tenancy.create_team(permit, &label("team")).await.unwrap();
            model.teams.insert(team.id, BTreeSet::new());
        }
        Step::Seat { team, whom, .. } | Step::Unseat { team, whom, .. } => {
            if teams.is_empty() {
                return;
            }
            let team = teams[team % teams.len()];
            let whom = any_of(model.principals(), whom);
            let permit = house
                .one::<ManagePeople>(&owner.caller, SubjectKind::Team, team)
                .await;
            let seats = model.teams.entry(team).or_default();
            if matches!(step, Step::Seat { .. }) {
                tenancy.add_to_team(permit, whom).await.unwrap();
                seats.insert(whom);
            } else {
                tenancy.remove_from_team(permit, whom).await.unwrap();
                seats.remove(&whom);
            }
        }
        Step::Grant {
            to, to_team, path, ..
        } => {
            let subject = match to_team && !teams.is_empty() {
                true => GrantSubject::Team(teams[to % teams.len()]),
                false => model.subject(to),
            };
            let granted = terms(subject, "vault:use", &format!("secret:{}", PATHS[path]));
            let made = house.grant(owner, granted).await.unwrap();
            model.grants.insert(made.id, (subject, path));
        }
        Step::Revoke { grant, .. } => {
            let grants: Vec<GrantId> = model.grants.keys().copied().collect();
            if grants.is_empty() {
                return;
            }
            let id = grants[grant % grants.len()];
            let permit = house
                .one::<ManageGrants>(&owner.caller, SubjectKind::Grant, id)
                .await;
            tenancy.revoke_grant(permit).await.unwrap();
            model.grants.remove(&id);
        }
    }
}

/// Asks for everybody, in both organizations, and lists what each of them has.
async fn compare(house: &House, owners: &[Person; 2], models: &[Model; 2], step: &Step) {
    let everybody: Vec<PrincipalId> = models
        .iter()
        .flat_map(|model| model.principals().into_iter().chain(model.gone.clone()))
        .collect();
    for (owner, model) in owners.iter().zip(models) {
        let org: OrgId = owner.caller.org();
        for who in &everybody {
            let caller = caller(org, *who);
            for (number, path) in PATHS.iter().enumerate() {
                let path = SecretPath::parse(path).unwrap();
                let may = house.permit::<UseSecret>(&caller, OfSecret::at(path)).await;
                assert_eq!(may.is_ok(), model.may_use(*who, number), "{step:?}: {who}");
            }
            let may = house.permit::<ListBuckets>(&caller, InOrganization).await;
            assert_eq!(may.is_ok(), model.may_list(*who), "{step:?}: {who}");
        }
        let members = house
            .all::<ReadPeople>(&owner.caller, SubjectKind::Member)
            .await;
        let members = house.tenancy().members(members, None, 99).await.unwrap();
        let members: BTreeMap<_, _> = members
            .into_iter()
            .map(|member| (member.principal, member.role))
            .collect();
        assert_eq!(members, model.members, "{step:?}");
        let grants = house
            .all::<ReadGrants>(&owner.caller, SubjectKind::Grant)
            .await;
        let grants = house
            .tenancy()
            .grants(grants, GrantFilter::Any, None, 99)
            .await
            .unwrap();
        let grants: BTreeSet<_> = grants.into_iter().map(|grant| grant.id).collect();
        assert_eq!(grants, model.grants.keys().copied().collect(), "{step:?}");
    }
}

impl Step {
    fn org(&self) -> usize {
        match self {
            Self::Join { org, .. }
            | Self::ChangeRole { org, .. }
            | Self::Remove { org, .. }
            | Self::MakeAgent { org }
            | Self::MakeTeam { org }
            | Self::Seat { org, .. }
            | Self::Unseat { org, .. }
            | Self::Grant { org, .. }
            | Self::Revoke { org, .. } => *org,
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let org = 0..2_usize;
    let number = 0..16_usize;
    let role = prop::sample::select(Role::ALL.to_vec());
    prop_oneof![
        (org.clone(), role.clone()).prop_map(|(org, role)| Step::Join { org, role }),
        (org.clone(), number.clone(), role).prop_map(|(org, whom, role)| Step::ChangeRole {
            org,
            whom,
            role
        }),
        (org.clone(), number.clone()).prop_map(|(org, whom)| Step::Remove { org, whom }),
        org.clone().prop_map(|org| Step::MakeAgent { org }),
        org.clone().prop_map(|org| Step::MakeTeam { org }),
        (org.clone(), number.clone(), number.clone()).prop_map(|(org, team, whom)| Step::Seat {
            org,
            team,
            whom
        }),
        (org.clone(), number.clone(), number.clone()).prop_map(|(org, team, whom)| Step::Unseat {
            org,
            team,
            whom
        }),
        (org.clone(), number.clone(), any::<bool>(), 0..PATHS.len()).prop_map(
            |(org, to, to_team, path)| Step::Grant {
                org,
                to,
                to_team,
                path
            }
        ),
        (org, number).prop_map(|(org, grant)| Step::Revoke { org, grant }),
    ]
}

const PATHS: [&str; 2] = ["tools/mail", "tools/chat"];
