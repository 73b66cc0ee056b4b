//! The same wall on Secrets Manager: every operation is asked for another organization's secret.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};
use wire::secrets_manager::{Operation, Target};

use super::{TOKEN, difference, raw, text};
use crate::support::client::{Answer, Client};
use crate::support::gateway::Gateway;

#[tokio::test]
async fn what_is_anothers_answers_and_costs_as_what_is_nowhere_among_secrets() {
    let gateway = Gateway::start(TOKEN).await;
    let (victim, stranger) = (
        gateway.tenant("victim").await,
        gateway.tenant("stranger").await,
    );
    let owner = gateway.secrets_client(&victim);
    let client = gateway.secrets_client(&stranger);
    let secret = json!({ "Name": NAME, "SecretString": "x", "Tags": [{ "Key": "k" }] });
    let made = json(&asked(&owner, "CreateSecret", &secret).await);
    let before = snapshot(&owner).await;
    let arn = made["ARN"].as_str().expect("an ARN").to_owned();
    let version = made["VersionId"].as_str().expect("a version").to_owned();
    let partial = arn.rsplit_once('-').expect("six characters").0.to_owned();

    let mut compared = BTreeSet::new();
    for namesake in [false, true] {
        for id in [NAME, &arn, &partial] {
            for operation in Operation::ALL {
                for body in demands(*operation, id, &version) {
                    let mut seen = Vec::new();
                    for (name, body) in [(NAME, body.clone()), (NOBODY, aimed_nowhere(&body))] {
                        prepare(&client, name, namesake).await;
                        warm_up(&client, &body).await;
                        let calls = gateway.calls();
                        let answer = asked(&client, operation.name(), &body).await;
                        let cost = difference(&gateway.calls(), &calls);
                        clean(&client, name).await;
                        seen.push((shown(&answer, name), cost));
                    }
                    let what = format!("{operation:?} {body}, namesake: {namesake}");
                    assert_eq!(seen[0], seen[1], "{what}: theirs, then nowhere");
                    compared.insert(operation.name());
                }
            }
        }
    }
    let all = Operation::ALL.iter().map(|operation| operation.name());
    assert_eq!(compared, all.collect());
    for absent in Target::NOT_BUILT {
        let body = json!({ "SecretId": NAME });
        let answer = asked(&client, absent, &body).await;
        assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED, "{absent}");
    }
    assert_eq!(snapshot(&owner).await, before);
    gateway.close_logs().await;
    for (tenant, other) in [(&victim, &stranger), (&stranger, &victim)] {
        let log = gateway.log(tenant).await;
        assert!(!log.is_empty());
        assert!(log.iter().all(|entry| entry.actor != other.key.id));
    }
}

/// What a stranger may say of a secret. An operation that is added must say here what another
/// organization would send to it.
pub(super) fn demands(operation: Operation, id: &str, version: &str) -> Vec<Value> {
    let with = |more: Value| {
        let mut body = json!({ "SecretId": id });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body
    };
    match operation {
        Operation::BatchGetSecretValue => vec![
            json!({ "SecretIdList": [id] }),
            json!({ "Filters": [{ "Key": "all", "Values": [NAME] }] }),
        ],
        Operation::CreateSecret => vec![
            json!({ "Name": NAME, "SecretString": "x", "ClientRequestToken": version }),
            json!({ "Name": NAME }),
        ],
        Operation::DeleteSecret => vec![
            with(json!({})),
            with(json!({ "RecoveryWindowInDays": 7 })),
            with(json!({ "ForceDeleteWithoutRecovery": true })),
        ],
        // Without what JSON escapes, every password makes an answer of the same length.
        Operation::GetRandomPassword => {
            vec![json!({ "ExcludeCharacters": NAME, "ExcludePunctuation": true })]
        }
        Operation::GetSecretValue => vec![
            with(json!({})),
            with(json!({ "VersionId": version })),
            with(json!({ "VersionStage": "AWSCURRENT" })),
            with(json!({ "VersionId": version, "VersionStage": "AWSCURRENT" })),
        ],
        Operation::ListSecrets => vec![
            json!({ "Filters": [{ "Key": "name", "Values": [NAME] }] }),
            json!({ "IncludePlannedDeletion": true }),
        ],
        Operation::ListSecretVersionIds => vec![with(json!({ "IncludeDeprecated": true }))],
        Operation::PutResourcePolicy | Operation::ValidateResourcePolicy => {
            let denial = json!({
                "Effect": "Deny", "Principal": "*", "Action": "vault:use", "Resource": "*",
            });
            let policy = json!({ "Statement": denial }).to_string();
            vec![with(json!({ "ResourcePolicy": policy }))]
        }
        Operation::PutSecretValue => vec![
            with(json!({ "SecretString": "x" })),
            with(json!({ "SecretString": "x", "ClientRequestToken": version })),
            with(json!({ "SecretString": "y", "ClientRequestToken": version })),
        ],
        Operation::TagResource => vec![with(json!({ "Tags": [{ "Key": "k", "Value": "v" }] }))],
        Operation::UntagResource => vec![with(json!({ "TagKeys": ["k"] }))],
        Operation::UpdateSecret => vec![
            with(json!({ "Description": "d" })),
            with(json!({ "SecretString": "x", "ClientRequestToken": version })),
        ],
        Operation::UpdateSecretVersionStage => vec![with(json!({
            "VersionStage": "AWSCURRENT", "RemoveFromVersionId": version,
            "MoveToVersionId": version,
        }))],
        Operation::DeleteResourcePolicy
        | Operation::DescribeSecret
        | Operation::GetResourcePolicy
        | Operation::ListResourcePolicies
        | Operation::RestoreSecret => vec![with(json!({}))],
    }
}

/// The same of a name of the same length that nobody bears.
pub(super) fn aimed_nowhere(body: &Value) -> Value {
    let body = body.to_string().replace(NAME, NOBODY);
    serde_json::from_str(&body).expect("JSON")
}

/// Makes a secret of the stranger's that bears the name, if there is to be one, and opens what
/// caches forget when something is written.
pub(super) async fn prepare(client: &Client, name: &str, namesake: bool) {
    if namesake {
        let body = json!({ "Name": name, "SecretString": "mine" });
        let made = asked(client, "CreateSecret", &body).await;
        assert_eq!(made.status, StatusCode::OK, "{}", text(&made));
    }
    asked(client, "ListSecrets", &json!({})).await;
    asked(client, "DescribeSecret", &json!({ "SecretId": "warm/up" })).await;
}

/// Opens what is remembered of the secrets that a request names, whether they are there or not.
async fn warm_up(client: &Client, body: &Value) {
    let several = body["SecretIdList"].as_array().into_iter().flatten();
    for id in several.chain([&body["SecretId"], &body["Name"]]) {
        if id.is_string() {
            asked(client, "GetResourcePolicy", &json!({ "SecretId": id })).await;
        }
    }
}

/// Takes away what the stranger made of its own.
pub(super) async fn clean(client: &Client, name: &str) {
    let body = json!({ "SecretId": name, "ForceDeleteWithoutRecovery": true });
    let gone = asked(client, "DeleteSecret", &body).await;
    assert_eq!(gone.status, StatusCode::OK, "{}", text(&gone));
}

/// Everything that the owner can see of what is its own.
async fn snapshot(owner: &Client) -> Vec<String> {
    let mut seen = Vec::new();
    for (operation, body) in [
        ("DescribeSecret", json!({ "SecretId": NAME })),
        ("GetSecretValue", json!({ "SecretId": NAME })),
        ("ListSecrets", json!({ "IncludePlannedDeletion": true })),
    ] {
        seen.push(raw(&asked(owner, operation, &body).await));
    }
    seen
}

pub(super) async fn asked(client: &Client, operation: &str, body: &Value) -> Answer {
    let target = format!("{}{operation}", Target::PREFIX);
    let answer = client.ask(&target, &body.to_string()).await;
    answer.expect("an answer")
}

/// An answer as it was sent, without what names the request or was drawn by chance, and with a
/// placeholder of the name that it echoes.
pub(super) fn shown(answer: &Answer, name: &str) -> String {
    let mut shown = raw(answer).replace(name, "{name}");
    let body = json(answer);
    let listed = body["SecretList"].as_array().into_iter().flatten();
    let values = body["SecretValues"].as_array().into_iter().flatten();
    for made in listed.chain(values).chain([&body]) {
        for member in ["ARN", "VersionId", "RandomPassword"] {
            if let Some(drawn) = made[member].as_str() {
                let drawn = json!(drawn.replace(name, "{name}")).to_string();
                shown = shown.replace(drawn.trim_matches('"'), "{drawn}");
            }
        }
        for member in ["VersionIdsToStages", "SecretVersionsToStages"] {
            for version in made[member].as_object().into_iter().flatten() {
                shown = shown.replace(version.0, "{drawn}");
            }
        }
    }
    for version in body["Versions"].as_array().into_iter().flatten() {
        let drawn = version["VersionId"].as_str().expect("a version");
        shown = shown.replace(drawn, "{drawn}");
    }
    shown
}

fn json(answer: &Answer) -> Value {
    match text(answer).as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}")),
    }
}

pub(super) const NAME: &str = "prod/ledger";
pub(super) const NOBODY: &str = "prod/nobody";
