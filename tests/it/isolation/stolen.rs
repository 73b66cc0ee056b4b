//! The same wall for somebody who owns both organizations: what was stolen of one of them opens
//! nothing of the other, at no door.

use std::collections::BTreeSet;

use bulkhead::http::api::{Audience, routes};
use bulkhead::http::kv;
use bulkhead::http::s3::{Mark, ROUTES, Route};
use http::{Method, StatusCode};
use names::OrgId;
use serde_json::{Value, json};
use wire::secrets_manager::Operation;
use wire::sts::Action;

use super::api::Settled;
use super::{
    BUCKET, Case, Condition, KEY, Names, Place, TOKEN, clean, content, element, prepare, raw,
    secrets, shown, sts, text,
};
use crate::support::bearer::Bearer;
use crate::support::client::{Answer, Client};
use crate::support::credential::Credential;
use crate::support::house::House;
use crate::support::logs::Logs;
use crate::support::sign::Key;

#[tokio::test]
async fn what_was_stolen_in_one_organization_opens_no_other_of_the_account() {
    let settings = [
        ("CONTROL_OPERATOR_TOKEN", TOKEN),
        // Answers are compared that would be told to slow down one day and not the other.
        ("AUDIT_REFUSALS_PER_SECOND_MAX", "100000"),
    ];
    let mut house = House::start_with(&settings).await;
    let scene = Scene::settle(&house).await;
    let before = scene.snapshot(&house).await;

    let (key, session) = (&scene.stolen.key, &scene.stolen.sts_session);
    for credential in [&Credential::AccessKey(key.clone()), session] {
        scene.try_s3(&house, credential).await;
        scene.try_secrets_manager(&house, credential).await;
        scene.try_sts(&house, credential).await;
    }
    for token in [&scene.stolen.api_token, &scene.stolen.session] {
        scene.try_api(&house, token).await;
        scene.try_kv(&house, token).await;
    }
    scene.try_doors_of_others(&house).await;

    assert_eq!(scene.snapshot(&house).await, before);
    // A person switches: by a session, and by nothing else that was stolen.
    let switch = json!({ "organization": scene.org.to_string() });
    let by_token = Bearer::new(house.control(), &scene.stolen.api_token);
    let refused = by_token.post("/sessions/switch", switch.clone()).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let by_session = Bearer::new(house.control(), &scene.stolen.session);
    let switched = by_session.post("/sessions/switch", switch).await;
    assert_eq!(switched.status, 201, "{}", switched.body);

    let status = house.stop();
    assert!(status.success(), "{status}");
    let logs = Logs::of(&house).await;
    let mut actors = Vec::new();
    for slug in [&scene.robbed_slug, &scene.slug] {
        let entries = logs.organization(slug).await.into_iter();
        actors.push(entries.map(|entry| entry.actor).collect::<BTreeSet<_>>());
    }
    assert!(scene.stolen.ids.is_subset(&actors[0]), "{actors:?}");
    assert!(scene.stolen.ids.is_disjoint(&actors[1]), "{actors:?}");
}

/// Two organizations of one account.
struct Scene {
    robbed: Settled,
    robbed_slug: String,
    stolen: Stolen,
    /// The one that nothing was stolen of, and what it has.
    other: Settled,
    org: OrgId,
    slug: String,
    key: Key,
    names: Names,
    etag: String,
    arn: String,
    version: String,
}

/// What somebody else has now, of the owner of the robbed organization.
struct Stolen {
    key: Key,
    sts_session: Credential,
    api_token: String,
    session: String,
    /// Their public halves.
    ids: BTreeSet<String>,
}

impl Scene {
    async fn settle(house: &House) -> Self {
        let robbed = Settled::new(house.control(), "robbed").await;
        let other = Settled::new(house.control(), "other").await;
        // Its owner owns the other one, too, and may do everything there.
        let invitation = json!({ "email": robbed.names.of("email"), "role": "owner" });
        let path = format!("/organizations/{}/invitations", other.names.of("org"));
        let invited = other.owner.post(&path, invitation).await;
        let token = json!({ "token": invited.text("token") });
        let accepted = robbed.owner.post("/invitations/accept", token).await;
        assert!(accepted.status < 300, "{}", accepted.body);

        let stolen = Stolen::of(house, &robbed).await;
        let key = own_key(&other.owner, other.names.of("org")).await;
        let s3 = house.client_of(&key);
        let (bucket, object) = (format!("/{BUCKET}"), format!("/{BUCKET}/{KEY}"));
        ok(&s3, Method::PUT, &bucket, Vec::new()).await;
        let put = ok(&s3, Method::PUT, &object, content()).await;
        let begin = format!("{object}?uploads=");
        let begun = ok(&s3, Method::POST, &begin, Vec::new()).await;
        let upload = element(&text(&begun), "UploadId");
        let part = format!("{object}?partNumber=1&uploadId={upload}");
        ok(&s3, Method::PUT, &part, content()).await;

        let manager = Client::of_service(house.api(), key.clone(), "secretsmanager");
        let secret =
            json!({ "Name": secrets::NAME, "SecretString": "x", "Tags": [{ "Key": "k" }] });
        let made = secrets::asked(&manager, "CreateSecret", &secret).await;
        let made: Value = serde_json::from_slice(&made.body).expect("JSON");
        let of = |name: &str| made[name].as_str().expect("a text").to_owned();
        Self {
            robbed_slug: slug(&robbed).await,
            slug: slug(&other).await,
            org: other.names.of("org").parse().expect("an identifier"),
            names: Names {
                bucket: BUCKET.to_owned(),
                key: KEY.to_owned(),
                upload,
            },
            etag: put.headers["etag"].to_str().expect("text").to_owned(),
            arn: of("ARN"),
            version: of("VersionId"),
            robbed,
            stolen,
            other,
            key,
        }
    }

    /// All that the other organization can see of its own.
    async fn snapshot(&self, house: &House) -> Vec<String> {
        let s3 = house.client_of(&self.key);
        let mut seen = Vec::new();
        for target in [
            "/".to_owned(),
            format!("/{BUCKET}?list-type=2"),
            format!("/{BUCKET}?uploads="),
            format!("/{BUCKET}/{KEY}"),
            format!("/{BUCKET}/{KEY}?uploadId={}", self.names.upload),
        ] {
            seen.push(raw(&ok(&s3, Method::GET, &target, Vec::new()).await));
        }
        let manager = Client::of_service(house.api(), self.key.clone(), "secretsmanager");
        for operation in ["DescribeSecret", "GetSecretValue"] {
            let id = json!({ "SecretId": secrets::NAME });
            seen.push(raw(&secrets::asked(&manager, operation, &id).await));
        }
        let api = self.other.snapshot().await;
        seen.extend(api.iter().map(Value::to_string));
        seen
    }

    async fn try_s3(&self, house: &House, stolen: &Credential) {
        let client = stolen.client(house, "s3").expect("what signs");
        let nowhere = self.names.nowhere();
        // In a bucket of its own, only what names a source or an upload could reach further.
        let reaches = |mark: &Mark| {
            matches!(
                mark,
                Mark::Header("x-amz-copy-source") | Mark::Query("uploadId")
            )
        };
        let further = |route: &&Route| route.marks.iter().any(reaches);
        for (place, routes) in [
            (Place::Theirs, ROUTES.iter().collect::<Vec<_>>()),
            (Place::Own, ROUTES.iter().filter(further).collect()),
        ] {
            for route in routes {
                let mut seen = Vec::new();
                for names in [&self.names, &nowhere] {
                    prepare(&client, place, names).await;
                    let case = Case::of(route, place, Condition::None, names, &self.etag);
                    seen.push(shown(&case.sent(&client).await, names));
                    clean(&client, place, route, names).await;
                }
                let what = format!("{} in {place:?}", route.name);
                assert_eq!(seen[0], seen[1], "{what}: the other's, then nowhere");
            }
        }
    }

    async fn try_secrets_manager(&self, house: &House, stolen: &Credential) {
        let client = stolen.client(house, "secretsmanager");
        let client = client.expect("what signs");
        let partial = self.arn.rsplit_once('-').expect("six characters").0;
        for id in [secrets::NAME, &self.arn, partial] {
            for operation in Operation::ALL {
                for body in secrets::demands(*operation, id, &self.version) {
                    let mut seen = Vec::new();
                    let missing = secrets::aimed_nowhere(&body);
                    for (name, body) in [(secrets::NAME, &body), (secrets::NOBODY, &missing)] {
                        let answer = secrets::asked(&client, operation.name(), body).await;
                        secrets::clean(&client, name).await;
                        seen.push(untimed(&secrets::shown(&answer, name)));
                    }
                    let what = format!("{operation:?} {body}");
                    assert_eq!(seen[0], seen[1], "{what}: the other's, then nowhere");
                }
            }
        }
    }

    async fn try_sts(&self, house: &House, stolen: &Credential) {
        let client = stolen.client(house, "sts").expect("what signs");
        for role in sts::ROLES {
            let mut seen = Vec::new();
            for org in [self.org, OrgId::from_bytes([7; 16])] {
                let form = sts::form(Action::AssumeRole, org, role);
                let answer = client.send_form(&form).await.expect("an answer");
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", text(&answer));
                seen.push(sts::shown(&answer, &self.stolen.key.secret, org));
            }
            assert_eq!(seen[0], seen[1], "{role}: the other's, then nowhere");
        }
        let form = sts::form(Action::GetCallerIdentity, self.org, "owner");
        let identity = text(&client.send_form(&form).await.expect("an answer"));
        let robbed: OrgId = self.robbed.names.of("org").parse().expect("an identifier");
        assert_eq!(element(&identity, "Account"), robbed.account_number());
    }

    async fn try_api(&self, house: &House, token: &str) {
        let client = nobodys_client(house);
        let (own, theirs) = (&self.robbed.names, &self.other.names);
        let nowhere = theirs.nowhere();
        let mut compared = 0;
        let of_organizations = routes().filter(|route| {
            let is_of_account = route.audience == Audience::Account;
            route.audience != Audience::Anybody && !is_of_account
        });
        for route in of_organizations {
            for aim in super::api::aims(route, own, theirs) {
                let asked = super::api::ask(route, &aim);
                let missing = super::api::ask(route, &aim.aimed_nowhere(theirs, &nowhere));
                if asked == missing {
                    continue;
                }
                compared += 1;
                let mut seen = Vec::new();
                for request in [&asked, &missing] {
                    let authorization = format!("Bearer {token}");
                    let mut fields = vec![("authorization", authorization.as_str())];
                    let mut body = String::new();
                    if !request.body.is_null() {
                        fields.push(("content-type", "application/json"));
                        body = request.body.to_string();
                    }
                    let method = request.method.clone();
                    let answer = client.send_unsigned(method, &request.target, &fields, body);
                    let answer = answer.await.expect("an answer");
                    let is_inside = request.target.contains(own.of("org"));
                    let is_open = answer.status.is_success() && !is_inside;
                    assert!(!is_open, "{}: {answer:?}", route.id);
                    // What is done inside has times in it.
                    seen.push(match answer.status.is_success() {
                        true => answer.status.to_string(),
                        false => super::api::hidden(raw(&answer), &[theirs, &nowhere]),
                    });
                }
                let what = format!("{} {asked:?}", route.id);
                assert_eq!(seen[0], seen[1], "{what}: the other's, then nowhere");
            }
        }
        assert!(compared > 60, "{compared}");
    }

    async fn try_kv(&self, house: &House, token: &str) {
        let client = nobodys_client(house);
        let org = self.org.to_string();
        for route in kv::ROUTES.iter().filter(|route| route.action.is_some()) {
            let mut seen = Vec::new();
            for namespace in [org.as_str(), &self.slug, "nobody-at-all"] {
                let fields = [("x-vault-token", token), ("x-vault-namespace", namespace)];
                let target = format!("/v1/{}", super::kv::path(route, secrets::NAME));
                let method = Method::from_bytes(route.methods[0].as_bytes()).expect("a method");
                let answer = client.send_unsigned(method, &target, &fields, "").await;
                seen.push(raw(&answer.expect("an answer")));
            }
            assert!(seen[0].starts_with("403"), "{}: {}", route.name, seen[0]);
            assert!(seen.iter().all(|one| *one == seen[0]), "{}", route.name);
        }
        // Without a namespace it is the token's own, where the name is nobody's.
        let fields = [("x-vault-token", token)];
        let target = format!("/v1/secret/data/{}", secrets::NAME);
        let answer = client
            .send_unsigned(Method::GET, &target, &fields, "")
            .await;
        assert_eq!(answer.expect("an answer").status, StatusCode::NOT_FOUND);
    }

    /// What signs is no bearer, and a bearer signs nothing.
    async fn try_doors_of_others(&self, house: &House) {
        let Stolen {
            key,
            api_token,
            session,
            ..
        } = &self.stolen;
        for shown in [&key.secret, &format!("{}:{}", key.id, key.secret)] {
            let path = format!("/organizations/{}", self.org);
            let bearer = Bearer::new(house.control(), shown);
            assert_eq!(bearer.get(&path).await.status, 401);
        }
        for token in [api_token, session] {
            let own = Bearer::new(house.control(), token).get("/self").await;
            let key = Key {
                id: own.text("credential").to_owned(),
                secret: token.clone(),
            };
            let answer = house.client_of(&key).send(Method::GET, "/", &[], "").await;
            assert_eq!(answer.expect("an answer").status, StatusCode::FORBIDDEN);
        }
    }
}

impl Stolen {
    async fn of(house: &House, robbed: &Settled) -> Self {
        let org = robbed.names.of("org");
        let key = own_key(&robbed.owner, org).await;
        let sts_session = Credential::session_of(house, &key).await;
        let path = format!("/organizations/{org}/self/credentials");
        let made = robbed
            .owner
            .post(&path, json!({ "kind": "api-token" }))
            .await;
        let api_token = made.text("token").to_owned();
        let log_in = json!({
            "email": robbed.names.of("email"), "password": crate::support::bearer::PASSWORD,
        });
        let anybody = Bearer::showing(house.control(), None);
        let session = anybody.post("/sessions", log_in).await;
        let session = session.text("token").to_owned();
        let mut ids = BTreeSet::from([key.id.clone(), made.text("id").to_owned()]);
        if let Credential::StsSession(key, _) = &sts_session {
            ids.insert(key.id.clone());
        }
        let own = Bearer::new(house.control(), &session).get("/self").await;
        ids.insert(own.text("credential").to_owned());
        Self {
            key,
            sts_session,
            api_token,
            session,
            ids,
        }
    }
}

/// A new access key of whoever asks.
async fn own_key(bearer: &Bearer, org: &str) -> Key {
    let path = format!("/organizations/{org}/self/credentials");
    let made = bearer.post(&path, json!({ "kind": "access-key" })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    Key {
        id: made.text("id").to_owned(),
        secret: made.text("secret").to_owned(),
    }
}

async fn slug(settled: &Settled) -> String {
    let path = format!("/organizations/{}", settled.names.of("org"));
    settled.owner.get(&path).await.text("slug").to_owned()
}

async fn ok(client: &Client, method: Method, target: &str, body: Vec<u8>) -> Answer {
    let answer = client.send(method, target, &[], body).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{target}: {answer:?}");
    answer
}

/// An answer of Secrets Manager without the times in it, of which some are shorter in writing.
fn untimed(shown: &str) -> String {
    let is_of_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut untimed = shown.to_owned();
    for before in ["Date\":", "\"content-length\": \""] {
        let pieces = untimed.split(before);
        let pieces = pieces.map(|piece| piece.trim_start_matches(is_of_number));
        untimed = pieces.collect::<Vec<_>>().join(before);
    }
    untimed
}

/// A client of the control listener that signs nothing.
fn nobodys_client(house: &House) -> Client {
    let nobody = Key {
        id: "BKNOBODYSIGNSWITHTHIS".to_owned(),
        secret: "unused".to_owned(),
    };
    Client::new(house.control(), nobody)
}
