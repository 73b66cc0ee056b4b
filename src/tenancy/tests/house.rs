//! People, agents and organizations, and the permits that they get.

use std::sync::Arc;

use names::{AccessKeyId, AccountId, OrgId, PrincipalId, Slug};

use super::super::*;
use crate::authz::{
    Action, Caller, CredentialKind, Limits, ManageAgents, ManageGrants, ManagePeople, Narrowing,
    OfHome, OfSubject, Permit, Refusal, Role, SubjectKind, authorize,
};
use crate::ops::fixture::{Place, World};

/// One process with a tenancy in it.
pub(super) struct House {
    pub(super) place: Place,
    pub(super) world: World,
}

/// Somebody with an account, and with its session of one organization.
pub(super) struct Person {
    pub(super) account: AccountId,
    pub(super) email: Email,
    pub(super) caller: Caller,
    pub(super) signed_in: SignedIn,
}

impl House {
    pub(super) async fn new() -> Self {
        let place = Place::new();
        let world = place.start().await;
        Self { place, world }
    }

    pub(super) fn tenancy(&self) -> &Tenancy {
        &self.world.tenancy
    }

    /// Puts an organization on a new plan with these limits.
    pub(super) async fn limited(&self, org: OrgId, limits: Limits) {
        let slug = Slug::parse(&format!("plan-{}", self.tenancy().new_id()[15])).unwrap();
        let terms = Terms {
            limits,
            ..Terms::default()
        };
        let operator = &self.world.operator;
        let tenancy = self.tenancy();
        tenancy
            .create_plan(operator, &slug, &label("plan"), &terms)
            .await
            .unwrap();
        tenancy
            .assign_plan(operator, org, Some(&slug))
            .await
            .unwrap();
    }

    /// Somebody who has logged in, in the personal organization.
    pub(super) async fn person(&self, name: &str) -> Person {
        let email = email(&format!("{name}@example.com"));
        let wish = NewAccount {
            email: email.clone(),
            name: label(name),
            password: password(PASSWORD),
        };
        let operator = &self.world.operator;
        let made = self.tenancy().create_account(operator, wish).await.unwrap();
        let session = self.log_in(&email, PASSWORD).await.unwrap();
        assert_eq!(session.org, made.personal_org);
        Person::of(made.id, email, &session)
    }

    pub(super) async fn account(&self, email: &Email) -> AccountId {
        let operator = &self.world.operator;
        let account = self.tenancy().account_named(operator, email).await;
        account.unwrap().id
    }

    pub(super) async fn log_in(
        &self,
        email: &Email,
        password: &str,
    ) -> Result<NewSession, TenancyError> {
        let password = Password::present(password.to_owned().into());
        self.tenancy().log_in(email, password, None).await
    }

    /// The same person in another organization of its own.
    pub(super) async fn switched(&self, person: &Person, org: OrgId) -> Person {
        let session = self.tenancy().switch(&person.signed_in, org).await.unwrap();
        Person::of(person.account, person.email.clone(), &session)
    }

    /// What `caller` is permitted now, if it is.
    pub(super) async fn permit<A: Action>(
        &self,
        caller: &Caller,
        resource: A::Resource,
    ) -> Result<Permit<A>, Refusal> {
        let rights = self.tenancy().rights(caller).await.unwrap();
        let standing = self.tenancy().standing(caller).await.unwrap();
        authorize::<A>(caller, &rights, standing, resource)
    }

    pub(super) async fn all<A: Action<Resource = OfSubject>>(
        &self,
        caller: &Caller,
        kind: SubjectKind,
    ) -> Permit<A> {
        self.permit(caller, OfSubject::all(kind)).await.unwrap()
    }

    pub(super) async fn one<A: Action<Resource = OfSubject>>(
        &self,
        caller: &Caller,
        kind: SubjectKind,
        id: impl ToString,
    ) -> Permit<A> {
        self.permit(caller, OfSubject::one(kind, id.to_string()))
            .await
            .unwrap()
    }

    pub(super) async fn home<A: Action<Resource = OfHome>>(
        &self,
        caller: &Caller,
        agent: PrincipalId,
    ) -> Result<Permit<A>, Refusal> {
        self.permit(caller, OfHome { agent }).await
    }

    pub(super) async fn invite(
        &self,
        by: &Person,
        email: &Email,
        role: Role,
    ) -> Result<NewInvitation, TenancyError> {
        let permit = self
            .all::<ManagePeople>(&by.caller, SubjectKind::Invitation)
            .await;
        self.tenancy().invite(permit, email, role, None).await
    }

    /// Somebody new, who has joined the organization of `by` in a role and works there.
    pub(super) async fn joined(&self, by: &Person, name: &str, role: Role) -> Person {
        let person = self.person(name).await;
        let invited = self.invite(by, &person.email, role).await.unwrap();
        self.tenancy()
            .accept_invitation(&person.signed_in, &invited.token)
            .await
            .unwrap();
        self.switched(&person, by.caller.org()).await
    }

    pub(super) async fn agent(&self, by: &Person, name: &str) -> Agent {
        let permit = self
            .all::<ManageAgents>(&by.caller, SubjectKind::Agent)
            .await;
        self.tenancy()
            .create_agent(permit, agent_profile(name))
            .await
            .unwrap()
    }

    pub(super) async fn grant(
        &self,
        by: &Person,
        terms: GrantTerms,
    ) -> Result<Grant, TenancyError> {
        let permit = self
            .all::<ManageGrants>(&by.caller, SubjectKind::Grant)
            .await;
        self.tenancy().grant(permit, terms).await
    }
}

impl Person {
    pub(super) fn of(account: AccountId, email: Email, session: &NewSession) -> Self {
        let caller = Caller::authenticated(
            session.org,
            session.principal,
            session.id.clone(),
            CredentialKind::Session(account),
            Arc::new(Narrowing::NONE),
        );
        Self {
            account,
            email,
            signed_in: SignedIn::of(&caller).unwrap(),
            caller,
        }
    }

    pub(super) fn principal(&self) -> PrincipalId {
        self.caller.principal()
    }
}

/// Whoever shows an unnarrowed access key of a principal.
pub(super) fn caller(org: OrgId, principal: PrincipalId) -> Caller {
    narrowed(org, principal, Narrowing::NONE)
}

pub(super) fn narrowed(org: OrgId, principal: PrincipalId, narrowing: Narrowing) -> Caller {
    Caller::authenticated(
        org,
        principal,
        AccessKeyId::parse("BKTEST").unwrap(),
        CredentialKind::AccessKey,
        Arc::new(narrowing),
    )
}

pub(super) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

pub(super) fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

pub(super) fn password(text: &str) -> Password {
    Password::choose(text.to_owned().into()).unwrap()
}

pub(super) fn agent_profile(name: &str) -> AgentProfile {
    AgentProfile {
        name: label(name),
        department: Some(label("sales")),
        project: None,
        settings: [(label("model"), "small".to_owned())].into(),
    }
}

pub(super) fn terms(subject: GrantSubject, action: &str, resource: &str) -> GrantTerms {
    let glob = |text| names::Glob::parse(text).unwrap();
    GrantTerms {
        subject,
        actions: vec![glob(action)],
        resources: vec![glob(resource)],
        expires_ms: None,
        note: None,
    }
}

pub(super) const PASSWORD: &str = "correct horse battery";
