//! Who may what, and what nobody of another organization learns.

use names::PrincipalId;
use serde_json::json;

use super::house::{House, Tenant, globs};
use crate::audit::Outcome;
use crate::authz::{
    Action, Caller, ManageAgents, ManageCredentials, ManageGrants, Narrowing, OfSubject, Permit,
    Scope, SubjectKind, authorize,
};
use crate::ops::fixture::Client;
use crate::tenancy::{
    AgentProfile, CredentialRequest, Email, GrantSubject, GrantTerms, Label, NewAccount,
    NewCredentialKind, Password, Shown,
};

#[tokio::test]
async fn what_is_anothers_is_as_if_it_were_not() {
    let house = House::open().await;
    let victim = house.tenant("victim").await;
    let stranger = house.tenant("stranger").await;
    let arn = house.create(&victim, "prod/db", "hunter2").await;
    let token = "t".repeat(32);
    let statement = json!({
        "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
    });
    let policy = json!({"Statement": statement}).to_string();
    for (theirs, nowhere) in [
        ("prod/db".to_owned(), "prod/xx".to_owned()),
        (arn.clone(), arn.replace("prod/db", "prod/xx")),
        (
            arn.rsplit_once('-').unwrap().0.to_owned(),
            arn.rsplit_once('-').unwrap().0.replace("db", "xx"),
        ),
    ] {
        let is_arn = theirs.starts_with("arn:");
        for (operation, rest) in [
            ("DescribeSecret", json!({})),
            ("GetSecretValue", json!({})),
            ("GetSecretValue", json!({"VersionStage": "AWSCURRENT"})),
            ("PutSecretValue", json!({"SecretString": "x"})),
            ("UpdateSecret", json!({"Description": "x"})),
            ("UpdateSecret", json!({"SecretString": "x"})),
            ("ListSecretVersionIds", json!({})),
            (
                "UpdateSecretVersionStage",
                json!({"VersionStage": "AWSCURRENT", "MoveToVersionId": token}),
            ),
            ("DeleteSecret", json!({})),
            ("RestoreSecret", json!({})),
            ("TagResource", json!({"Tags": [{"Key": "k", "Value": "v"}]})),
            ("UntagResource", json!({"TagKeys": ["k"]})),
            ("GetResourcePolicy", json!({})),
            ("ListResourcePolicies", json!({})),
            ("PutResourcePolicy", json!({"ResourcePolicy": policy})),
            ("DeleteResourcePolicy", json!({})),
            ("ValidateResourcePolicy", json!({"ResourcePolicy": policy})),
        ] {
            let mut seen = Vec::new();
            for id in [&theirs, &nowhere] {
                let mut body = rest.clone();
                body["SecretId"] = json!(id);
                let answer = house.send(&stranger.client, operation, &body).await;
                assert_eq!(answer.status, 400, "{operation} {id}");
                assert_eq!(answer.code(), "ResourceNotFoundException", "{operation}");
                seen.push(answer.anonymous());
            }
            assert_eq!(seen[0], seen[1], "{operation} by {theirs}");
        }
        let body = json!({"SecretId": theirs, "ForceDeleteWithoutRecovery": true});
        let answer = house.send(&stranger.client, "DeleteSecret", &body).await;
        assert_eq!(answer.status == 200, !is_arn, "{}", answer.text);
        assert!(!answer.text.contains(&victim.org.account_number()));
        let body = json!({"SecretIdList": [theirs]});
        let batch = house
            .ask(&stranger.client, "BatchGetSecretValue", body)
            .await;
        assert_eq!(batch["SecretValues"], json!([]));
        assert_eq!(batch["Errors"][0]["ErrorCode"], "ResourceNotFoundException");
    }
    let listed = house.ask(&stranger.client, "ListSecrets", json!({})).await;
    assert_eq!(listed["SecretList"], json!([]));
    // Both may use one name, and neither meets the other's.
    house.create(&stranger, "prod/db", "mine").await;
    for (tenant, value) in [(&victim, "hunter2"), (&stranger, "mine")] {
        let body = json!({"SecretId": "prod/db"});
        let shown = house.ask(&tenant.client, "GetSecretValue", body).await;
        assert_eq!(shown["SecretString"], value);
    }
    // An ARN of the victim's does not become one of the stranger's by the name in it.
    for id in [&arn, arn.rsplit_once('-').unwrap().0] {
        for operation in ["GetSecretValue", "DescribeSecret", "DeleteSecret"] {
            let body = json!({"SecretId": id});
            let code = house.refused(&stranger.client, operation, body).await;
            assert_eq!(code, "ResourceNotFoundException", "{operation} {id}");
        }
    }
    let log = house.log(victim.org).await;
    assert!(log.iter().all(|entry| entry.actor == victim.client.id));
}

#[tokio::test]
async fn a_read_only_key_reads() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    house.create(&tenant, "a", "x").await;
    let reader = house.client(tenant.org, Scope::ReadOnly).await;
    house
        .ask(&reader, "GetSecretValue", json!({"SecretId": "a"}))
        .await;
    for (operation, body) in [
        ("CreateSecret", json!({"Name": "b"})),
        (
            "PutSecretValue",
            json!({"SecretId": "a", "SecretString": "y"}),
        ),
        ("UpdateSecret", json!({"SecretId": "a", "Description": "y"})),
        ("DeleteSecret", json!({"SecretId": "a"})),
        ("RestoreSecret", json!({"SecretId": "a"})),
        ("TagResource", json!({"SecretId": "a", "Tags": []})),
        ("UntagResource", json!({"SecretId": "a", "TagKeys": []})),
        (
            "PutResourcePolicy",
            json!({"SecretId": "a", "ResourcePolicy": "{}"}),
        ),
        ("DeleteResourcePolicy", json!({"SecretId": "a"})),
        (
            "UpdateSecretVersionStage",
            json!({"SecretId": "a", "VersionStage": "AWSCURRENT"}),
        ),
    ] {
        let code = house.refused(&reader, operation, body).await;
        assert_eq!(code, "AccessDeniedException", "{operation}");
    }
}

#[tokio::test]
async fn a_session_of_sts_does_what_its_maker_may() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    house.create(&tenant, "a", "hunter2").await;
    let for_files = Client {
        service: "s3".to_owned(),
        ..tenant.client.clone()
    };
    let session = Client {
        service: "secretsmanager".to_owned(),
        ..house.world.session(&for_files, 3_600_000).await
    };
    let body = json!({"SecretId": "a"});
    let shown = house.ask(&session, "GetSecretValue", body.clone()).await;
    assert_eq!(shown["SecretString"], "hunter2");
    let without_token = Client {
        token: None,
        ..session.clone()
    };
    let code = house
        .refused(&without_token, "GetSecretValue", body.clone())
        .await;
    assert_eq!(code, "UnrecognizedClientException");
    house
        .place
        .hand
        .advance(std::time::Duration::from_secs(3_600));
    let late = Client {
        at_ms: house.world.clock.now_ms(),
        ..session
    };
    let code = house.refused(&late, "GetSecretValue", body).await;
    assert_eq!(code, "ExpiredTokenException");
}

#[tokio::test]
async fn an_agent_sees_the_values_that_it_was_granted_by_name() {
    let house = House::open().await;
    let (owner, tenant) = owner(&house).await;
    house.create(&tenant, "team/a", "hunter2").await;
    house.create(&tenant, "other/a", "hunter3").await;
    let (_, use_only) = agent(
        &house,
        &owner,
        &["vault:use", "vault:list"],
        &["secret:team/*"],
    )
    .await;
    let (_, reveals) = agent(
        &house,
        &owner,
        &["vault:reveal", "vault:list", "vault:describe"],
        &["secret:team/*"],
    )
    .await;
    let get = |id: &str| json!({"SecretId": id});
    let shown = house.ask(&reveals, "GetSecretValue", get("team/a")).await;
    let arn = shown["ARN"].as_str().unwrap();
    assert_eq!(shown["SecretString"], "hunter2");
    house.ask(&reveals, "GetSecretValue", get(arn)).await;
    for (client, id) in [
        (&use_only, "team/a"),
        (&use_only, arn),
        (&reveals, "other/a"),
        (&reveals, "nothing"),
    ] {
        let code = house.refused(client, "GetSecretValue", get(id)).await;
        assert_eq!(code, "AccessDeniedException", "{id}");
    }
    // A batch shows what may be shown, and every refusal is recorded.
    let body = json!({"SecretIdList": ["team/a", "other/a"]});
    let batch = house.ask(&reveals, "BatchGetSecretValue", body).await;
    assert_eq!(batch["SecretValues"][0]["SecretString"], "hunter2");
    assert_eq!(batch["Errors"][0]["ErrorCode"], "AccessDeniedException");
    let refused = house.logged(tenant.org, "vault:reveal").await;
    let is_refusal = |(resource, outcome): &&(String, Outcome)| {
        resource == "secret:other/a" && matches!(outcome, Outcome::Refused { .. })
    };
    assert_eq!(refused.iter().filter(is_refusal).count(), 2);

    // Whoever may list a part lists that part.
    let under = |prefix: &str| json!({"Filters": [{"Key": "name", "Values": [prefix]}]});
    let listed = house.ask(&use_only, "ListSecrets", under("team/")).await;
    assert_eq!(listed["SecretList"].as_array().unwrap().len(), 1);
    for body in [json!({}), under("te"), under("other/"), under("!other/")] {
        let code = house.refused(&use_only, "ListSecrets", body).await;
        assert_eq!(code, "AccessDeniedException");
    }
    // A password is nobody's secret yet.
    house.ask(&use_only, "GetRandomPassword", json!({})).await;
}

/// Somebody who owns an organization, with a session to manage it and a key for its secrets.
pub(super) async fn owner(house: &House) -> (Caller, Tenant) {
    let tenancy = &house.world.tenancy;
    let email = Email::parse("owner@example.com").unwrap();
    let password = "correct horse battery";
    let wish = NewAccount {
        email: email.clone(),
        name: Label::parse("owner").unwrap(),
        password: Password::choose(password.to_owned().into()).unwrap(),
    };
    tenancy
        .create_account(&house.world.operator, wish)
        .await
        .unwrap();
    let shown = Password::present(password.to_owned().into());
    let session = tenancy.log_in(&email, shown, None).await.unwrap();
    let caller = house.world.authn.bearer(&session.token).await.unwrap();
    let client = house.client(session.org, Scope::Full).await;
    let tenant = Tenant {
        org: session.org,
        client,
    };
    (caller, tenant)
}

/// A new agent that was granted `actions` on `resources`, and a key of it.
pub(super) async fn agent(
    house: &House,
    owner: &Caller,
    actions: &[&str],
    resources: &[&str],
) -> (PrincipalId, Client) {
    let tenancy = &house.world.tenancy;
    let all = OfSubject::all;
    let profile = AgentProfile {
        name: Label::parse("agent").unwrap(),
        department: None,
        project: None,
        settings: std::collections::BTreeMap::new(),
    };
    let may = permit::<ManageAgents>(house, owner, all(SubjectKind::Agent)).await;
    let agent: PrincipalId = tenancy.create_agent(may, profile).await.unwrap().id;
    let terms = GrantTerms {
        subject: GrantSubject::Agent(agent),
        actions: globs(actions),
        resources: globs(resources),
        expires_ms: None,
        note: None,
    };
    let may = permit::<ManageGrants>(house, owner, all(SubjectKind::Grant)).await;
    tenancy.grant(may, terms).await.unwrap();
    let one = OfSubject::one(SubjectKind::Agent, agent.to_string());
    let may = permit::<ManageCredentials>(house, owner, one).await;
    let request = CredentialRequest {
        kind: NewCredentialKind::AccessKey,
        label: None,
        narrowing: Narrowing::NONE,
        expires_ms: None,
    };
    let made = tenancy.create_agent_credential(may, request).await.unwrap();
    let Shown::Secret(secret) = &made.shown else {
        panic!("an access key has a secret");
    };
    let client = Client::new(
        made.credential.id.as_str(),
        secret,
        house.world.clock.now_ms(),
    );
    let client = Client {
        service: "secretsmanager".to_owned(),
        ..client
    };
    (agent, client)
}

async fn permit<A: Action<Resource = OfSubject>>(
    house: &House,
    caller: &Caller,
    subject: OfSubject,
) -> Permit<A> {
    let rights = house.world.tenancy.rights(caller).await.unwrap();
    let standing = house.world.tenancy.standing(caller).await.unwrap();
    authorize(caller, &rights, standing, subject).unwrap()
}
