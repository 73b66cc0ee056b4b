//! The same wall on STS: a caller of one organization asks for the roles of another.

use http::{Method, StatusCode};
use names::OrgId;
use wire::sts::Action;

use super::{TOKEN, difference, raw};
use crate::support::client::Answer;
use crate::support::gateway::Gateway;

#[tokio::test]
async fn roles_of_anothers_answer_and_cost_as_those_that_are_nowhere() {
    let gateway = Gateway::start(TOKEN).await;
    let victim = gateway.tenant("victim").await;
    let stranger = gateway.tenant("stranger").await;
    let client = gateway.sts_client(&stranger);
    let nowhere = OrgId::from_bytes([7; 16]);

    let mut asked = 0;
    for action in Action::ALL {
        for role in ROLES {
            let mut seen = Vec::new();
            for org in [victim.org, nowhere] {
                let form = form(action, org, role);
                // What caches hold is the same before each.
                let warm = client.send_form(&form_of(Action::GetCallerIdentity)).await;
                assert_eq!(warm.expect("an answer").status, StatusCode::OK);
                let calls = gateway.calls();
                let answer = match action {
                    Action::AssumeRoleWithWebIdentity => {
                        let fields = [("content-type", "application/x-www-form-urlencoded")];
                        client.send_unsigned(Method::POST, "/", &fields, form).await
                    }
                    _ => client.send_form(&form).await,
                };
                let answer = answer.expect("an answer");
                let cost = difference(&gateway.calls(), &calls);
                seen.push((shown(&answer, &stranger.key.secret, org), cost));
                asked += 1;
            }
            assert_eq!(
                seen[0],
                seen[1],
                "{} of {role}: theirs, then nowhere",
                action.name()
            );
        }
    }
    assert_eq!(asked, Action::ALL.len() * ROLES.len() * 2);
    gateway.close_logs().await;
    assert!(gateway.log(&victim).await.is_empty());
}

/// What a caller asks for. An action that is added must say here what it would name.
pub(super) fn form(action: Action, org: OrgId, role: &str) -> String {
    let account = org.account_number();
    let role = format!("&RoleArn=arn:aws:iam::{account}:role/{role}&RoleSessionName=session");
    match action {
        Action::AssumeRole => form_of(action) + &role,
        Action::AssumeRoleWithWebIdentity => form_of(action) + &role + "&WebIdentityToken=a.b.c",
        Action::GetCallerIdentity | Action::GetSessionToken => form_of(action),
    }
}

fn form_of(action: Action) -> String {
    format!("Action={}&Version=2011-06-15", action.name())
}

/// An answer without what names the request, and without what was made for the caller.
pub(super) fn shown(answer: &Answer, secret: &str, org: OrgId) -> String {
    let mut shown = raw(answer).replace(&org.account_number(), "{account}");
    for name in [
        "RequestId",
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
    ] {
        let found = shown.split_once(&format!("<{name}>"));
        let value = found.and_then(|(_, rest)| rest.split_once('<'));
        if let Some(value) = value.map(|(value, _)| value.to_owned()) {
            shown = shown.replace(&value, &format!("{{{name}}}"));
        }
    }
    assert!(!shown.contains(secret));
    shown
}

/// Roles that every organization has, one that none has, and an agent.
pub(super) const ROLES: [&str; 4] = [
    "owner",
    "viewer",
    "nobody",
    "agents/01234567-89ab-7def-8123-456789abcdef",
];
