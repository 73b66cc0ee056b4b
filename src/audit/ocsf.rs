use std::net::IpAddr;

use serde::Serialize;

use super::actor::{ActorKind, ShownCredential};
use super::entry::{Entry, Logged, Outcome, SIGN_IN, moved, said};
use super::query::Decided;
use super::sign_in::SignInMethod;
use crate::authz::{Access, Action, ManageGrants, ManagePeople, Role, action_named};

impl Logged<'_> {
    /// The entry as one line of JSON in the [Open Cybersecurity Schema Framework] 1.3, without the
    /// line's end. Sign-ins are of the class Authentication (3002), changes of members, roles and
    /// grants of User Access Management (3005), everything else of API Activity (6003).
    ///
    /// The rule that decided stands in `actor.authorizations`. What the schema has no name for is
    /// `unmapped`: where the entry stands, what moved, and the credential that made the one that
    /// was shown.
    ///
    /// [Open Cybersecurity Schema Framework]: https://schema.ocsf.io/1.3.0
    pub fn ocsf(&self) -> String {
        let event = self.event();
        // A struct of texts and numbers has no way to fail.
        serde_json::to_string(&event).unwrap_or_default()
    }

    fn event(&self) -> OcsfEvent<'_> {
        let entry = self.entry;
        let class = Class::of(entry);
        let activity = Activity::of(class, entry);
        let several = entry.count > 1;
        OcsfEvent {
            metadata: Metadata {
                version: SCHEMA_VERSION,
                product: Product {
                    name: PRODUCT,
                    vendor_name: PRODUCT,
                    version: env!("CARGO_PKG_VERSION"),
                },
                log_name: "activity",
                tenant_uid: self.org.to_string(),
                correlation_uid: said(&entry.request_id),
            },
            category_uid: class.category(),
            class_uid: class as u32,
            class_name: class.name(),
            activity_id: activity.id,
            activity_name: activity.name,
            type_uid: class as u32 * 100 + activity.id,
            time: entry.at_ms,
            count: several.then_some(entry.count),
            start_time: several.then_some(entry.at_ms),
            end_time: several.then_some(entry.until_ms),
            outcome: Verdict::of(&entry.outcome),
            message: message(entry),
            actor: OcsfActor::of(entry),
            src_endpoint: Endpoint::of(entry),
            part: self.part(class),
            unmapped: Unmapped {
                node: self.node.to_string(),
                segment: self.segment,
                decision: entry.outcome.decided().as_str(),
                parent_credential: entry.parent.as_deref(),
                role: entry.kind.and_then(ActorKind::role).map(Role::as_str),
                bytes_in: moved(entry.bytes_in),
                bytes_out: moved(entry.bytes_out),
                of_org: entry.org.map(|org| org.to_string()),
            },
        }
    }

    fn part(&self, class: Class) -> Part<'_> {
        let entry = self.entry;
        match class {
            Class::ApiActivity => Part::Api {
                api: Api {
                    operation: operation(entry),
                    request: said(&entry.request_id).map(|uid| Request { uid }),
                    response: Response::of(&entry.outcome),
                },
                resources: resources(said(&entry.resource)),
            },
            Class::Authentication => {
                let (protocol, id) = protocol(entry);
                Part::SignIn {
                    user: User::of(entry).unwrap_or(User::UNKNOWN),
                    session: said(&entry.actor).map(|uid| Session { uid }),
                    service: Service { name: PRODUCT },
                    auth_protocol: protocol,
                    auth_protocol_id: id,
                    is_remote: true,
                }
            }
            Class::UserAccess => {
                let (subject, given) = match entry.resource.split_once(' ') {
                    Some((subject, given)) => (subject, given),
                    None => (&*entry.resource, operation(entry)),
                };
                Part::Access {
                    user: User::named(subject),
                    privileges: [given],
                    resources: resources(said(subject)),
                }
            }
        }
    }
}

/// The classes of the schema that entries are of, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Class {
    Authentication = 3002,
    UserAccess = 3005,
    ApiActivity = 6003,
}

impl Class {
    fn of(entry: &Entry) -> Self {
        match &*entry.action {
            SIGN_IN => Self::Authentication,
            ManagePeople::NAME | ManageGrants::NAME => Self::UserAccess,
            _ => Self::ApiActivity,
        }
    }

    fn category(self) -> u32 {
        self as u32 / 1000
    }

    fn name(self) -> &'static str {
        match self {
            Self::Authentication => "Authentication",
            Self::UserAccess => "User Access Management",
            Self::ApiActivity => "API Activity",
        }
    }
}

/// What was done, in the words of its class.
struct Activity<'a> {
    id: u32,
    name: &'a str,
}

impl<'a> Activity<'a> {
    fn of(class: Class, entry: &'a Entry) -> Self {
        let verb = operation(entry);
        let verb = verb.rsplit(':').next().unwrap_or(verb);
        let takes_away = TAKING.iter().any(|taking| verb.starts_with(taking));
        let (id, name) = match class {
            Class::Authentication => (1, "Logon"),
            Class::UserAccess if takes_away => (2, "Revoke Privileges"),
            Class::UserAccess => (1, "Assign Privileges"),
            Class::ApiActivity => {
                let access = action_named(&entry.action).map(|action| action.access);
                let reads = READING.iter().any(|reading| verb.starts_with(reading));
                let makes = MAKING.iter().any(|making| verb.starts_with(making));
                match access {
                    Some(Access::Read) => (2, "Read"),
                    _ if takes_away => (4, "Delete"),
                    _ if makes => (1, "Create"),
                    _ if reads => (2, "Read"),
                    Some(Access::Write | Access::Govern | Access::Record) => (3, "Update"),
                    None => (99, &*entry.action),
                }
            }
        };
        Self { id, name }
    }
}

/// What became of it, as the schema has it.
#[derive(Serialize)]
struct Verdict<'a> {
    severity_id: u32,
    status_id: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'a str>,
}

impl<'a> Verdict<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let (severity_id, status_id, status) = match outcome {
            Outcome::Allowed { status } if *status < 400 => (INFORMATIONAL, 1, "Success"),
            Outcome::Allowed { .. } => (INFORMATIONAL, 2, "Failure"),
            Outcome::Refused { .. } => (LOW, 2, "Failure"),
            Outcome::Damaged { .. } => (HIGH, 2, "Failure"),
            Outcome::Intended => (INFORMATIONAL, 99, "Intended"),
            Outcome::Stated { .. } => (INFORMATIONAL, 99, "Stated"),
        };
        Self {
            severity_id,
            status_id,
            status,
            status_code: outcome.status().map(|status| status.to_string()),
            status_detail: outcome.reason(),
        }
    }
}

#[derive(Serialize)]
struct OcsfEvent<'a> {
    metadata: Metadata<'a>,
    category_uid: u32,
    class_uid: u32,
    class_name: &'static str,
    activity_id: u32,
    activity_name: &'a str,
    type_uid: u32,
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<u64>,
    #[serde(flatten)]
    outcome: Verdict<'a>,
    message: String,
    actor: OcsfActor<'a>,
    src_endpoint: Endpoint,
    #[serde(flatten)]
    part: Part<'a>,
    unmapped: Unmapped<'a>,
}

/// What only one class has.
#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Api {
        api: Api<'a>,
        resources: Vec<Resource<'a>>,
    },
    SignIn {
        user: User<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<Session<'a>>,
        service: Service,
        auth_protocol: &'static str,
        auth_protocol_id: u32,
        is_remote: bool,
    },
    Access {
        user: User<'a>,
        privileges: [&'a str; 1],
        resources: Vec<Resource<'a>>,
    },
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    product: Product,
    log_name: &'static str,
    tenant_uid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_uid: Option<&'a str>,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct OcsfActor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    /// Where nobody is known who acted, the gateway did.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizations: Option<[Authorization<'a>; 1]>,
}

impl<'a> OcsfActor<'a> {
    fn of(entry: &'a Entry) -> Self {
        let user = User::of(entry);
        let rule = match &entry.outcome {
            Outcome::Refused { reason } => Some(reason.as_str()),
            _ => entry.rule.as_deref(),
        };
        Self {
            app_name: user.is_none().then_some(PRODUCT),
            user,
            authorizations: rule.map(|name| {
                [Authorization {
                    decision: match entry.outcome.decided() {
                        Decided::Refused => "denied",
                        _ => "allowed",
                    },
                    policy: Policy { name },
                }]
            }),
        }
    }
}

#[derive(Serialize)]
struct Authorization<'a> {
    decision: &'static str,
    policy: Policy<'a>,
}

#[derive(Serialize)]
struct Policy<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct User<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    #[serde(rename = "type")]
    kind: &'a str,
    type_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Account>,
}

impl<'a> User<'a> {
    /// Of whom nothing is known.
    const UNKNOWN: Self = Self {
        name: "unknown",
        uid: None,
        kind: "Unknown",
        type_id: 0,
        credential_uid: None,
        account: None,
    };

    /// Who acted.
    fn of(entry: &'a Entry) -> Option<Self> {
        let name = said(&entry.actor)?;
        let (kind, type_id) = match entry.kind {
            None => ("Unknown", 0),
            Some(ActorKind::Member { role }) if role == Role::Owner || role == Role::Admin => {
                ("Admin", 2)
            }
            Some(ActorKind::Member { .. }) => ("User", 1),
            Some(ActorKind::Operator) => ("Admin", 2),
            Some(kind) => (kind.as_str(), 99),
        };
        Some(Self {
            name,
            uid: entry.principal.map(|principal| principal.to_string()),
            kind,
            type_id,
            credential_uid: entry.credential.map(|_| name),
            account: entry.account.map(|account| Account {
                uid: account.to_string(),
            }),
        })
    }

    /// Whom a change is about: `member:`, `agent:`, `team:` or `grant:` and an identifier.
    fn named(subject: &'a str) -> Self {
        let (kind, id) = subject.split_once(':').unwrap_or(("subject", subject));
        let (kind, type_id) = match kind {
            "member" => ("User", 1),
            kind => (kind, 99),
        };
        Self {
            name: if subject.is_empty() {
                "unknown"
            } else {
                subject
            },
            uid: said(id).map(str::to_owned),
            kind,
            type_id,
            credential_uid: None,
            account: None,
        }
    }
}

#[derive(Serialize)]
struct Account {
    uid: String,
}

#[derive(Serialize)]
struct Endpoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    /// Where there is no address.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
}

impl Endpoint {
    fn of(entry: &Entry) -> Self {
        let is_here = entry.kind == Some(ActorKind::Operator);
        Self {
            ip: entry.source,
            name: match entry.source {
                Some(_) => None,
                None if is_here => Some("localhost"),
                None => Some("unknown"),
            },
        }
    }
}

#[derive(Serialize)]
struct Api<'a> {
    operation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Response<'a>>,
}

#[derive(Serialize)]
struct Request<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

impl<'a> Response<'a> {
    fn of(outcome: &'a Outcome) -> Option<Self> {
        let code = outcome.status();
        let error_message = match outcome {
            Outcome::Refused { reason } | Outcome::Damaged { reason } => Some(reason.as_str()),
            _ => None,
        };
        (code.is_some() || error_message.is_some()).then_some(Self {
            code,
            error_message,
        })
    }
}

#[derive(Serialize)]
struct Resource<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Session<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
struct Service {
    name: &'static str,
}

#[derive(Serialize)]
struct Unmapped<'a> {
    node: String,
    segment: u64,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_credential: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of_org: Option<String>,
}

/// What the protocol calls it, or else what policies do.
fn operation(entry: &Entry) -> &str {
    entry.operation.as_deref().unwrap_or(&entry.action)
}

fn protocol(entry: &Entry) -> (&'static str, u32) {
    let is_by = |method: SignInMethod| entry.operation.as_deref() == Some(method.operation());
    if is_by(SignInMethod::Oidc) {
        ("OpenID", 4)
    } else if is_by(SignInMethod::Password) {
        ("Password", 99)
    } else if is_by(SignInMethod::Switch) {
        (ShownCredential::Session.as_str(), 99)
    } else {
        ("Unknown", 0)
    }
}

fn resources(name: Option<&str>) -> Vec<Resource<'_>> {
    name.into_iter().map(|name| Resource { name }).collect()
}

fn message(entry: &Entry) -> String {
    let decided = entry.outcome.decided().as_str();
    let what = operation(entry);
    match said(&entry.resource) {
        Some(resource) => format!("{decided}: {what} {resource}"),
        None => format!("{decided}: {what}"),
    }
}

/// How the names of operations begin that take something away, that make, and that read.
const TAKING: [&str; 6] = ["Delete", "Remove", "Revoke", "Abort", "Destroy", "Cancel"];
const MAKING: [&str; 3] = ["Create", "Invite", "Add"];
const READING: [&str; 5] = ["Get", "List", "Head", "Describe", "Export"];

const SCHEMA_VERSION: &str = "1.3.0";
const PRODUCT: &str = "Bulkhead";
const INFORMATIONAL: u32 = 1;
const LOW: u32 = 2;
const HIGH: u32 = 4;
