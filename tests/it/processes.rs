//! Two servers on one directory of data: what is taken from somebody at one of them is gone there on
//! the next request, and at the other one as soon as that has seen it.

use std::time::Duration;

use bulkhead::catalog::{POLL_INTERVAL, STALE_AFTER};
use http::Method;
use serde_json::json;

use crate::support::bearer::Bearer;
use crate::support::company::Company;
use crate::support::credential::{Asked, Credential};
use crate::support::house::House;
use crate::support::person::OPERATOR_TOKEN;

#[tokio::test]
async fn what_is_taken_away_at_one_server_is_gone_there_at_once_and_soon_at_the_other() {
    // A server looks for what others changed more often than it may miss something, and that is
    // within a second.
    assert!(POLL_INTERVAL * 2 <= STALE_AFTER && STALE_AFTER <= Duration::from_secs(1));
    let one = House::start_with(&[("CONTROL_OPERATOR_TOKEN", OPERATOR_TOKEN)]).await;
    let other = one.beside().await;
    let scene = Scene::settle(&one).await;
    for (here, there) in [(&one, &other), (&other, &one)] {
        for taken in ALL {
            let holder = scene.arrange(&one, taken).await;
            // Nothing is left to be seen, so that only what is taken now can outdate what both know.
            see_all(&one).await;
            for house in [here, there] {
                for asked in holder.ask(&scene, house).await {
                    assert!(asked.status.is_success(), "{taken:?}: {asked:?}");
                }
            }

            let gone = Bearer::new(here.control(), &holder.taker);
            let gone = gone.delete(&holder.path).await;
            assert_eq!(gone.status, 204, "{taken:?}: {}", gone.body);
            holder.assert_refused(&scene, here, taken).await;
            see_all(&one).await;
            holder.assert_refused(&scene, there, taken).await;
        }
    }
}

/// What is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    AccessKey,
    ApiToken,
    Session,
    Member,
    Agent,
    Grant,
    Seat,
}

const ALL: [Taken; 7] = [
    Taken::AccessKey,
    Taken::ApiToken,
    Taken::Session,
    Taken::Member,
    Taken::Agent,
    Taken::Grant,
    Taken::Seat,
];

/// An organization with what everybody in it asks for.
struct Scene {
    company: Company,
}

/// Somebody from whom something is about to be taken.
struct Holder {
    credentials: Vec<Credential>,
    /// What is deleted.
    path: String,
    /// The token of whoever deletes it.
    taker: String,
}

impl Scene {
    async fn settle(house: &House) -> Self {
        let company = Company::found(house, "ada@example.com").await;
        let key = company.key_of(&company.owner).await;
        let client = house.client_of(&key);
        for (target, body) in [("/docs", ""), ("/docs/note", "kept")] {
            let put = client.send(Method::PUT, target, &[], body).await;
            let put = put.expect("an answer");
            assert!(put.status.is_success(), "{target}: {put:?}");
        }
        let secret = json!({ "path": "db", "value": { "text": "kept" } });
        company.make("secrets", secret).await;
        Self { company }
    }

    async fn arrange(&self, house: &House, taken: Taken) -> Holder {
        let company = &self.company;
        let (credentials, path) = match taken {
            Taken::Session | Taken::Member => return self.arrange_member(house, taken).await,
            Taken::AccessKey => {
                let agent = company.agent("Robot").await;
                company.grant("agent", &agent).await;
                let key = company.key_of_agent(&agent).await;
                let path = company.path(&format!("credentials/{}", key.id));
                // What was made with it ends with it.
                let session = Credential::session_of(house, &key).await;
                (vec![Credential::AccessKey(key), session], path)
            }
            Taken::ApiToken => {
                let agent = company.agent("Robot").await;
                company.grant("agent", &agent).await;
                let token = company.token_of_agent(&agent).await;
                let seen = Bearer::new(house.control(), &token).get("/self").await;
                let path = company.path(&format!("credentials/{}", seen.text("credential")));
                (vec![Credential::Bearer(token)], path)
            }
            Taken::Agent | Taken::Grant => {
                let agent = company.agent("Robot").await;
                let grant = company.grant("agent", &agent).await;
                let path = match taken {
                    Taken::Agent => format!("agents/{agent}"),
                    _ => format!("grants/{grant}"),
                };
                (
                    self.credentials_of(house, &agent).await,
                    company.path(&path),
                )
            }
            Taken::Seat => {
                let agent = company.agent("Robot").await;
                let team = company.team("Crew", &[&agent]).await;
                company.grant("team", &team).await;
                let path = company.path(&format!("teams/{team}/members/{agent}"));
                (self.credentials_of(house, &agent).await, path)
            }
        };
        Holder {
            credentials,
            path,
            taker: company.owner.session.clone(),
        }
    }

    /// A member who logs out, or who is removed.
    async fn arrange_member(&self, house: &House, taken: Taken) -> Holder {
        let company = &self.company;
        let count = company.owner.bearer.get(&company.path("grants")).await;
        let count = count.body["items"].as_array().map_or(0, Vec::len);
        let email = format!("bob{count}@example.com");
        let bob = company.member(house, &email, "member").await;
        company.grant("member", &bob.principal).await;
        let session = Credential::Bearer(bob.session.clone());
        if taken == Taken::Session {
            return Holder {
                credentials: vec![session],
                path: "/sessions/current".to_owned(),
                taker: bob.session,
            };
        }
        let key = company.key_of(&bob).await;
        Holder {
            credentials: vec![
                session,
                Credential::session_of(house, &key).await,
                Credential::AccessKey(key),
                Credential::Bearer(company.token_of(&bob).await),
            ],
            path: company.path(&format!("members/{}", bob.principal)),
            taker: company.owner.session.clone(),
        }
    }

    async fn credentials_of(&self, house: &House, agent: &str) -> Vec<Credential> {
        let key = self.company.key_of_agent(agent).await;
        vec![
            Credential::session_of(house, &key).await,
            Credential::AccessKey(key),
            Credential::Bearer(self.company.token_of_agent(agent).await),
        ]
    }
}

impl Holder {
    async fn ask(&self, scene: &Scene, house: &House) -> Vec<Asked> {
        let mut asked = Vec::new();
        for credential in &self.credentials {
            asked.extend(credential.ask_everywhere(house, &scene.company.id).await);
        }
        asked
    }

    async fn assert_refused(&self, scene: &Scene, house: &House, taken: Taken) {
        for asked in self.ask(scene, house).await {
            // Whoever has no right left is somebody there still.
            let is_left = matches!(taken, Taken::Grant | Taken::Seat) && asked.is_of_anybody();
            let is_right = match is_left {
                true => asked.status.is_success(),
                false => asked.status.is_client_error(),
            };
            assert!(is_right, "{taken:?}: {asked:?}");
        }
    }
}

/// Waits until both servers have stated that they have seen every change until now, and dropped what
/// is outdated by it.
async fn see_all(house: &House) {
    let database = house.database();
    let number = |sql: &str| -> i64 {
        let found = database.query_row(sql, [], |row| row.get(0));
        found.unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    let last = number("SELECT max(seq) FROM change_log");
    while number(&format!(
        "SELECT count(*) FROM nodes WHERE seen_seq >= {last}"
    )) < 2
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
