//! What somebody shows at the doors, of every kind that there is.

use http::{Method, StatusCode};
use serde_json::json;

use super::bearer::Bearer;
use super::client::{Answer, Client};
use super::house::House;
use super::sign::Key;
use super::text::element;

/// A credential.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An access key.
    AccessKey(Key),
    /// A session of STS: its key, and the token that comes with every signature.
    StsSession(Key, String),
    /// An API token, or the session of an account.
    Bearer(String),
}

/// A request that was answered.
#[derive(Debug)]
pub struct Asked {
    /// By which door, and for what.
    pub what: &'static str,
    /// How.
    pub status: StatusCode,
    /// The request's identifier.
    pub id: String,
    /// The answer's body, as text.
    pub body: String,
}

impl Credential {
    /// What STS makes of an access key.
    pub async fn session_of(house: &House, key: &Key) -> Self {
        let sts = Client::of_service(house.api(), key.clone(), "sts");
        let form = "Action=GetSessionToken&Version=2011-06-15";
        let made = sts.send_form(form).await.expect("an answer");
        assert!(made.status.is_success(), "{made:?}");
        let of = |name| element(&made.body, name).to_owned();
        let key = Key {
            id: of("AccessKeyId"),
            secret: of("SecretAccessKey"),
        };
        Self::StsSession(key, of("SessionToken"))
    }

    /// A client of one of Amazon's services that shows it, if it is anything that signs.
    pub fn client(&self, house: &House, service: &'static str) -> Option<Client> {
        let client = |key: &Key| Client::of_service(house.api(), key.clone(), service);
        match self {
            Self::AccessKey(key) => Some(client(key)),
            Self::StsSession(key, token) => Some(client(key).with_token(token)),
            Self::Bearer(_) => None,
        }
    }

    /// Asks every door that takes it, in the organization `org`, for the object `note` in the bucket
    /// `docs` and the secret `db`, and who it is.
    pub async fn ask_everywhere(&self, house: &House, org: &str) -> Vec<Asked> {
        match self {
            Self::Bearer(token) => ask_control(house, org, token).await,
            Self::AccessKey(_) | Self::StsSession(..) => self.ask_api(house).await,
        }
    }

    async fn ask_api(&self, house: &House) -> Vec<Asked> {
        let client = |service| self.client(house, service).expect("what signs");
        let mut asked = Vec::new();
        let s3 = client("s3");
        for (what, method, target, body) in [
            ("GetObject", Method::GET, "/docs/note", ""),
            ("ListObjectsV2", Method::GET, "/docs?list-type=2", ""),
            ("PutObject", Method::PUT, "/docs/new", "new"),
        ] {
            let answer = s3.send(method, target, &[], body).await;
            asked.push(Asked::of(what, answer.expect("an answer")));
        }
        let body = json!({ "SecretId": "db" }).to_string();
        let secrets = client("secretsmanager");
        let answer = secrets.ask("secretsmanager.GetSecretValue", &body).await;
        asked.push(Asked::of("GetSecretValue", answer.expect("an answer")));
        let form = "Action=GetCallerIdentity&Version=2011-06-15";
        let answer = client("sts").send_form(form).await;
        asked.push(Asked::of(IDENTITY, answer.expect("an answer")));
        asked
    }
}

impl Asked {
    fn of(what: &'static str, answer: Answer) -> Self {
        let id = answer.headers["x-amz-request-id"].to_str().expect("text");
        Self {
            what,
            status: answer.status,
            id: id.to_owned(),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
        }
    }

    /// Whether it takes no right but to be somebody in the organization.
    pub fn is_of_anybody(&self) -> bool {
        [IDENTITY, SELF].contains(&self.what)
    }
}

async fn ask_control(house: &House, org: &str, token: &str) -> Vec<Asked> {
    let bearer = Bearer::new(house.control(), token);
    let secret = format!("/organizations/{org}/secrets/db");
    let mut asked = Vec::new();
    for (what, path) in [(SELF, "/self"), ("GetSecret", &secret)] {
        let nothing = serde_json::Value::Null;
        let reply = bearer.send_unchecked(Method::GET, path, &[], nothing).await;
        let id = reply.headers["x-amz-request-id"].to_str().expect("text");
        asked.push(Asked {
            what,
            status: StatusCode::from_u16(reply.status).expect("a status"),
            id: id.to_owned(),
            body: reply.body.to_string(),
        });
    }
    let nobody = Key {
        id: "BKNOBODYSIGNSWITHTHIS".to_owned(),
        secret: "unused".to_owned(),
    };
    let fields = [("x-vault-token", token)];
    let answer = Client::new(house.control(), nobody)
        .send_unsigned(Method::GET, "/v1/secret/data/db", &fields, "")
        .await;
    asked.push(Asked::of("KvReadValue", answer.expect("an answer")));
    asked
}

const IDENTITY: &str = "GetCallerIdentity";
const SELF: &str = "GetSelf";
