//! An organization as its owner runs it over `/api/v1`: members, agents, teams, grants and what
//! everybody holds.

use http::Method;
use serde_json::{Value, json};

use super::bearer::{Bearer, PASSWORD, Reply};
use super::house::House;
use super::person::OPERATOR_TOKEN;
use super::sign::Key;

/// An organization of a house whose operator shows [`OPERATOR_TOKEN`].
pub struct Company {
    /// Its identifier.
    pub id: String,
    /// Its short name.
    pub slug: String,
    /// Its owner, whose personal organization it is.
    pub owner: Member,
}

/// A member of an organization, in a session there.
pub struct Member {
    /// Who it is there.
    pub principal: String,
    /// By what it logs in.
    pub email: String,
    /// The token of the session.
    pub session: String,
    /// The same, as a caller.
    pub bearer: Bearer,
}

impl Company {
    /// Makes an account by the operator, and takes the organization that comes with it.
    pub async fn found(house: &House, email: &str) -> Self {
        let operator = Bearer::new(house.control(), OPERATOR_TOKEN);
        let account = json!({ "email": email, "name": email, "password": PASSWORD });
        let made = operator.post("/operator/accounts", account).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let owner = Member::log_in(house, email, None).await;
        let seen = owner.bearer.get("/self").await;
        let id = seen.text("organization").to_owned();
        let shown = owner.bearer.get(&format!("/organizations/{id}")).await;
        Self {
            slug: shown.text("slug").to_owned(),
            id,
            owner,
        }
    }

    /// The path of something in it.
    pub fn path(&self, below: &str) -> String {
        format!("/organizations/{}/{below}", self.id)
    }

    /// Makes something as the owner.
    pub async fn make(&self, below: &str, body: Value) -> Reply {
        let made = self.owner.bearer.post(&self.path(below), body).await;
        assert_eq!(made.status, 201, "{below}: {}", made.body);
        made
    }

    /// A new account that joins by invitation, in a session here.
    pub async fn member(&self, house: &House, email: &str, role: &str) -> Member {
        let invitation = json!({ "email": email, "role": role });
        let invited = self.make("invitations", invitation).await;
        let joins = json!({ "token": invited.text("token"), "name": email, "password": PASSWORD });
        let anybody = Bearer::showing(house.control(), None);
        let joined = anybody.post("/invitations/join", joins).await;
        assert_eq!(joined.status, 201, "{}", joined.body);
        Member::log_in(house, email, Some(&self.id)).await
    }

    /// A new agent.
    pub async fn agent(&self, name: &str) -> String {
        let made = self.make("agents", json!({ "name": name })).await;
        made.text("id").to_owned()
    }

    /// Grants all that [`Credential::ask_everywhere`] asks for to a member, an agent or a team.
    ///
    /// [`Credential::ask_everywhere`]: super::credential::Credential::ask_everywhere
    pub async fn grant(&self, kind: &str, id: &str) -> String {
        self.granted(kind, id, Value::Null).await
    }

    /// The same, until a time.
    pub async fn grant_until(&self, kind: &str, id: &str, end: &str) -> String {
        self.granted(kind, id, json!(end)).await
    }

    async fn granted(&self, kind: &str, id: &str, end: Value) -> String {
        let grant = json!({
            "subject": { kind: id },
            "actions": ["s3:*", "vault:reveal", "vault:describe"],
            "resources": ["drive:docs*", "secret:db"],
            "expires_at": end,
        });
        self.make("grants", grant).await.text("id").to_owned()
    }

    /// Makes a team of these principals.
    pub async fn team(&self, name: &str, principals: &[&str]) -> String {
        let made = self.make("teams", json!({ "name": name })).await;
        let team = made.text("id").to_owned();
        for principal in principals {
            let path = self.path(&format!("teams/{team}/members/{principal}"));
            let seated = self.owner.bearer.send(Method::PUT, &path, &[], Value::Null);
            let seated = seated.await;
            assert!(seated.status < 300, "{}", seated.body);
        }
        team
    }

    /// A new access key of an agent.
    pub async fn key_of_agent(&self, agent: &str) -> Key {
        let path = format!("agents/{agent}/credentials");
        key(&self.make(&path, json!({ "kind": "access-key" })).await)
    }

    /// A new API token of an agent.
    pub async fn token_of_agent(&self, agent: &str) -> String {
        let path = format!("agents/{agent}/credentials");
        let made = self.make(&path, json!({ "kind": "api-token" })).await;
        made.text("token").to_owned()
    }

    /// A new access key of whoever is in a session here.
    pub async fn key_of(&self, person: &Member) -> Key {
        let asked = json!({ "kind": "access-key" });
        let path = self.path("self/credentials");
        key(&person.bearer.post(&path, asked).await)
    }

    /// A new API token of whoever is in a session here.
    pub async fn token_of(&self, person: &Member) -> String {
        let asked = json!({ "kind": "api-token" });
        let path = self.path("self/credentials");
        let made = person.bearer.post(&path, asked).await;
        made.text("token").to_owned()
    }
}

impl Member {
    /// Logs in to an organization.
    pub async fn log_in(house: &House, email: &str, organization: Option<&str>) -> Self {
        let login = json!({ "email": email, "password": PASSWORD, "organization": organization });
        let anybody = Bearer::showing(house.control(), None);
        let reply = anybody.post("/sessions", login).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        let session = reply.text("token").to_owned();
        Self {
            principal: reply.text("principal").to_owned(),
            email: email.to_owned(),
            bearer: Bearer::new(house.control(), &session),
            session,
        }
    }
}

fn key(made: &Reply) -> Key {
    assert_eq!(made.status, 201, "{}", made.body);
    Key {
        id: made.text("id").to_owned(),
        secret: made.text("secret").to_owned(),
    }
}
