//! Policies of secrets, as Secrets Manager shows them and as they are judged by.

use serde_json::{Value as Json, json};

use super::house::{House, Tenant};
use super::walls::{agent, owner};
use crate::audit::Outcome;
use crate::authz::{Action, ChangeSecretPolicy, RevealSecret, Scope};

#[tokio::test]
async fn a_policy_is_kept_as_it_was_written() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let client = &tenant.client;
    let arn = house.create(&tenant, "a", "x").await;
    let named = json!({"SecretId": "a"});
    let none = house.ask(client, "GetResourcePolicy", named.clone()).await;
    let expected = json!({"ARN": arn, "Name": "a", "PolicyName": "default"});
    assert_eq!(none, expected);
    let none = house
        .ask(client, "ListResourcePolicies", named.clone())
        .await;
    assert_eq!(none, json!({"ResourcePolicies": []}));
    // With blanks, an identifier and a member order of its own.
    let statement = r#"{"Sid": "Mine", "Resource":"*", "Action" : "secretsmanager:DeleteSecret",
        "Principal": {"AWS": ["*"]}, "Effect": "Deny"}"#;
    let policy = format!(r#"{{"Statement": {statement}, "Id": "p", "Version": "2012-10-17" }}"#);
    let put = json!({"SecretId": arn, "ResourcePolicy": policy, "PolicyName": "default"});
    assert_eq!(house.ask(client, "PutResourcePolicy", put).await, expected);
    let shown = house.ask(client, "GetResourcePolicy", named.clone()).await;
    assert_eq!(shown["ResourcePolicy"], policy);
    let listed = house
        .ask(client, "ListResourcePolicies", named.clone())
        .await;
    assert_eq!(
        listed,
        json!({"ResourcePolicies": [{"PolicyName": "default"}]})
    );
    // A new value leaves it, and it is gone with the secret.
    let put = json!({"SecretId": "a", "SecretString": "y"});
    house.ask(client, "PutSecretValue", put).await;
    let delete = json!({"SecretId": "a", "ForceDeleteWithoutRecovery": true});
    let refused = house.refused(client, "DeleteSecret", delete.clone()).await;
    assert_eq!(refused, "AccessDeniedException");
    let taken = house
        .ask(client, "DeleteResourcePolicy", named.clone())
        .await;
    assert_eq!(taken, expected);
    let shown = house.ask(client, "GetResourcePolicy", named).await;
    assert_eq!(shown, expected);
    house.ask(client, "DeleteSecret", delete).await;
    let logged = house.logged(tenant.org, ChangeSecretPolicy::NAME).await;
    assert!(
        logged.contains(&("secret:a".to_owned(), Outcome::Allowed { status: 200 })),
        "{logged:?}"
    );
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let other = house.tenant("other").await;
    let client = &tenant.client;
    house.create(&tenant, "a", "x").await;
    let (ours, theirs) = (tenant.org.account_number(), other.org.account_number());
    let root = |account: &str| json!({"AWS": format!("arn:aws:iam::{account}:root")});
    let malformed = "MalformedPolicyDocumentException";
    let public = "PublicPolicyException";
    for (policy, code) in [
        ("{".to_owned(), malformed),
        ("[]".to_owned(), malformed),
        (policy("Allow", json!("*")), public),
        (policy("Allow", json!({"AWS": ["*"]})), public),
        // Of another organization no account is known, whether it is one or not.
        (policy("Allow", root(&theirs)), malformed),
        (policy("Deny", root("123456789012")), malformed),
        (
            policy("Deny", json!({"Service": "lambda.amazonaws.com"})),
            malformed,
        ),
        (
            policy(
                "Deny",
                json!({"AWS": format!("arn:aws:iam::{ours}:role/none")}),
            ),
            malformed,
        ),
    ] {
        let body = json!({"SecretId": "a", "ResourcePolicy": policy, "BlockPublicPolicy": true});
        let refused = house.refused(client, "PutResourcePolicy", body).await;
        assert_eq!(refused, code, "{policy}");
        let body = json!({"ResourcePolicy": policy});
        let judged = house.ask(client, "ValidateResourcePolicy", body).await;
        assert_eq!(judged["PolicyValidationPassed"], false);
        assert_eq!(judged["ValidationErrors"][0]["CheckName"], code);
    }
    let body = json!({"SecretId": "a", "ResourcePolicy": policy("Allow", root(&ours))});
    let judged = house
        .ask(client, "ValidateResourcePolicy", body.clone())
        .await;
    assert_eq!(
        judged,
        json!({"PolicyValidationPassed": true, "ValidationErrors": []})
    );
    for (operation, code) in [
        ("GetResourcePolicy", "ResourceNotFoundException"),
        ("PutResourcePolicy", "InvalidParameterException"),
        ("DeleteResourcePolicy", "InvalidParameterException"),
    ] {
        let mut body = json!({"SecretId": "a", "PolicyName": "mine"});
        if operation == "PutResourcePolicy" {
            body["ResourcePolicy"] = json!(policy("Allow", root(&ours)));
        }
        assert_eq!(
            house.refused(client, operation, body).await,
            code,
            "{operation}"
        );
    }
    let shown = house
        .ask(client, "GetResourcePolicy", json!({"SecretId": "a"}))
        .await;
    assert!(shown.get("ResourcePolicy").is_none(), "{shown}");
}

#[tokio::test]
async fn an_agent_that_a_policy_names_reveals_that_secret_alone() {
    let house = House::open().await;
    let (owner, tenant) = owner(&house).await;
    for name in ["a", "b"] {
        house.create(&tenant, name, "hunter2").await;
    }
    let (id, client) = agent(&house, &owner, &["vault:use"], &["secret:c"]).await;
    let get = |name: &str| json!({"SecretId": name});
    let denied = "AccessDeniedException";
    assert_eq!(
        house.refused(&client, "GetSecretValue", get("a")).await,
        denied
    );
    let account = tenant.org.account_number();
    let itself = json!({"AWS": format!("arn:aws:iam::{account}:user/agents/{id}")});
    let role = json!({"AWS": format!("arn:aws:iam::{account}:role/agents/{id}")});
    for (principal, effect, may) in [
        (json!("*"), "Allow", false),
        (itself.clone(), "Allow", true),
        (role, "Allow", true),
        (itself, "Deny", false),
    ] {
        put(&house, &tenant, "a", &policy(effect, principal.clone())).await;
        let answer = house.send(&client, "GetSecretValue", &get("a")).await;
        assert_eq!(
            answer.status == 200,
            may,
            "{principal} {effect}: {}",
            answer.text
        );
        assert_eq!(
            house.refused(&client, "GetSecretValue", get("b")).await,
            denied
        );
        let batch = json!({"SecretIdList": ["a", "b"]});
        let batch = house.ask(&client, "BatchGetSecretValue", batch).await;
        let shown = batch["SecretValues"].as_array().expect("a list").len();
        assert_eq!(shown, usize::from(may), "{batch}");
    }
    // It may neither see nor lift what is said of it.
    for operation in ["GetResourcePolicy", "DeleteResourcePolicy"] {
        assert_eq!(house.refused(&client, operation, get("a")).await, denied);
    }
    let rules = house.log(tenant.org).await;
    let by_policy = |entry: &&crate::audit::Entry| entry.rule.as_deref() == Some("secret-policy");
    assert!(rules.iter().filter(by_policy).count() >= 2);
}

#[tokio::test]
async fn a_denial_holds_until_it_is_lifted_and_hides_from_listings() {
    let house = House::open().await;
    let (owner, tenant) = owner(&house).await;
    for name in ["a", "b"] {
        house.create(&tenant, name, "hunter2").await;
    }
    let actions = ["vault:list", "vault:describe", "vault:reveal", "vault:put"];
    let (id, client) = agent(&house, &owner, &actions, &["secret:*"]).await;
    let names = async || {
        let listed = house.ask(&client, "ListSecrets", json!({})).await;
        let secrets = listed["SecretList"].as_array().expect("a list").iter();
        secrets
            .map(|secret| secret["Name"].to_string())
            .collect::<String>()
    };
    assert_eq!(names().await, r#""a""b""#);
    let account = tenant.org.account_number();
    let itself = json!({"AWS": format!("arn:aws:iam::{account}:user/agents/{id}")});
    let statement = json!({
        "Effect": "Deny", "Principal": itself, "Resource": "*",
        "Action": ["secretsmanager:DescribeSecret", "secretsmanager:Get*"],
    });
    put(
        &house,
        &tenant,
        "a",
        &json!({"Statement": statement}).to_string(),
    )
    .await;
    assert_eq!(names().await, r#""b""#);
    let everything = json!({"Filters": [{"Key": "all", "Values": ["a"]}]});
    let batch = house.ask(&client, "BatchGetSecretValue", everything).await;
    assert_eq!(batch["SecretValues"], json!([]));
    let named = json!({"SecretId": "a"});
    for operation in ["DescribeSecret", "GetSecretValue", "ListSecretVersionIds"] {
        let refused = house.refused(&client, operation, named.clone()).await;
        assert_eq!(refused, "AccessDeniedException", "{operation}");
    }
    let refused = house.logged(tenant.org, RevealSecret::NAME).await;
    let reason = "the policy of the secret denies vault:reveal".to_owned();
    assert!(
        refused.contains(&("secret:a".to_owned(), Outcome::Refused { reason })),
        "{refused:?}"
    );
    // What is not denied stays allowed, and who owns the organization sees all.
    let write = json!({"SecretId": "a", "SecretString": "y"});
    house.ask(&client, "PutSecretValue", write).await;
    let all = house.ask(&tenant.client, "ListSecrets", json!({})).await;
    assert_eq!(all["SecretList"].as_array().map(Vec::len), Some(2));
    let reader = house.client(tenant.org, Scope::ReadOnly).await;
    let refused = house
        .refused(&reader, "DeleteResourcePolicy", named.clone())
        .await;
    assert_eq!(refused, "AccessDeniedException");
    house
        .ask(&tenant.client, "DeleteResourcePolicy", named)
        .await;
    assert_eq!(names().await, r#""a""b""#);
}

async fn put(house: &House, tenant: &Tenant, name: &str, policy: &str) {
    let body = json!({"SecretId": name, "ResourcePolicy": policy});
    house.ask(&tenant.client, "PutResourcePolicy", body).await;
}

fn policy(effect: &str, principal: Json) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": effect, "Principal": principal,
            "Action": "secretsmanager:GetSecretValue", "Resource": "*",
        }],
    })
    .to_string()
}
