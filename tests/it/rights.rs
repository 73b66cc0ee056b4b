//! Whoever can write the catalog under a running server, and has no key, gives nobody a right: rows
//! that decide who may what are refused where they are not what was written, and the refusals are
//! recorded.

use std::collections::BTreeMap;

use bulkhead::audit::Outcome;
use bulkhead::authz::Role;
use bulkhead::catalog::{CredentialKind, RecordKind};
use futures_util::future::join_all;
use http::{Method, StatusCode};
use names::{OrgId, PrincipalId};
use serde_json::{Value, json};

use crate::support::attacker::{Attacker, literal};
use crate::support::bearer::{Bearer, PASSWORD, Reply};
use crate::support::company::Company;
use crate::support::credential::{Asked, Credential};
use crate::support::house::House;
use crate::support::logs::Logs;
use crate::support::person::OPERATOR_TOKEN;

#[tokio::test]
async fn rows_that_decide_rights_are_refused_where_they_were_edited_until_they_are_put_back() {
    let settings = [
        ("CONTROL_OPERATOR_TOKEN", OPERATOR_TOKEN),
        ("AUDIT_REFUSALS_PER_SECOND_MAX", "100000"),
    ];
    let mut house = House::start_with(&settings).await;
    let scene = Scene::settle(&house).await;
    let everybody: Vec<_> = (0..2).flat_map(|org| ALL.map(|who| (org, who))).collect();
    scene
        .assert_served(&house, &everybody, "the beginning")
        .await;

    let mut refused = Vec::new();
    for attack in &ATTACKS {
        let what = attack.what;
        let among = scene.among(attack.rows);
        let before = scene.attacker.tamper(attack.rows.table(), &among, || {
            (attack.edit)(&scene);
        });
        // What the server remembers is what was written. After any change it reads again.
        scene.outdate(&house).await;
        refused.extend(scene.assert_refused(&house, attack).await);
        let mut others = everybody.clone();
        others.retain(|one| !attack.refused.contains(one));
        scene.assert_served(&house, &others, what).await;

        scene.attacker.put_back(before);
        if attack.because == Because::Lost {
            // That there was nothing is remembered, too; damage is not.
            scene.outdate(&house).await;
        }
        scene.assert_served(&house, attack.refused, what).await;
    }

    // The platform's log gathers, and is written at a clean end at the latest.
    let status = house.stop();
    assert!(status.success(), "{status}");
    scene.assert_recorded(&house, &refused).await;
    let verified = house.run(&["verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

/// The owner of one organization is written into another as its owner, and so is a token.
#[tokio::test]
async fn a_membership_that_was_written_into_the_catalog_lets_nobody_in() {
    let mut house = House::start_with(&[("CONTROL_OPERATOR_TOKEN", OPERATOR_TOKEN)]).await;
    let acme = Company::found(&house, "ada@example.com").await;
    let evil = Company::found(&house, "eve@example.com").await;
    let token = evil.token_of(&evil.owner).await;
    let attacker = Attacker::at(&house);
    let (ours, theirs) = (org_literal(&acme.id), org_literal(&evil.id));
    let members = format!("kind = {}", RecordKind::Member as u8);
    let membership = attacker.tamper("records", &members, || {
        let which = format!("{members} AND org_id = {theirs}");
        attacker.copy("records", &which, &[("org_id", &ours)]);
    });

    let eve = &evil.owner;
    let to_ours = json!({ "organization": acme.id });
    let switched = ask(&eve.bearer, Method::POST, "/sessions/switch", to_ours).await;
    let log_in = json!({ "email": eve.email, "password": PASSWORD, "organization": acme.id });
    let anybody = Bearer::showing(house.control(), None);
    let logged_in = ask(&anybody, Method::POST, "/sessions", log_in).await;
    let (ada, path) = (&acme.owner.bearer, acme.path("members"));
    let listed = ask(ada, Method::GET, &path, Value::Null).await;
    for reply in [&switched, &logged_in, &listed] {
        assert_eq!(reply.status, 500, "{}", reply.body);
    }

    let credentials = attacker.tamper("credentials", "TRUE", || {
        let kind = CredentialKind::ApiToken as u8;
        let which = format!("org_id = {theirs} AND kind = {kind}");
        attacker.alter("credentials", &which, &format!("org_id = {ours}"));
    });
    let stranger = Bearer::new(house.control(), &token);
    let shown = stranger.get("/self").await;
    assert_eq!(shown.status, 401, "{}", shown.body);

    attacker.put_back(credentials);
    attacker.put_back(membership);
    assert_eq!(stranger.get("/self").await.text("organization"), evil.id);
    let members = ada.get(&path).await;
    assert_eq!(members.body["items"].as_array().map(Vec::len), Some(1));

    let status = house.stop();
    assert!(status.success(), "{status}");
    let logs = Logs::of(&house).await;
    for (slug, reply) in [(&evil.slug, &switched), (&acme.slug, &listed)] {
        let recorded = refusals_in(&logs, slug).await;
        let found = recorded.get(request_id(reply));
        assert_eq!(found, Some(&Because::Damaged), "{}", reply.body);
    }
    // The log-in and the token come before anybody calls.
    let damaged = logs.damaged_in_platform().await;
    assert_eq!(damaged, 2);
}

/// A row whose end was taken away is no way back for what was revoked.
#[tokio::test]
async fn what_was_revoked_stays_so_whatever_its_row_says() {
    let mut house = House::start_with(&[("CONTROL_OPERATOR_TOKEN", OPERATOR_TOKEN)]).await;
    let acme = Company::found(&house, "ada@example.com").await;
    let token = acme.token_of(&acme.owner).await;
    let holder = Bearer::new(house.control(), &token);
    let id = holder.get("/self").await.text("credential").to_owned();
    let path = acme.path(&format!("self/credentials/{id}"));
    assert_eq!(acme.owner.bearer.delete(&path).await.status, 204);
    assert_eq!(holder.get("/self").await.status, 401);

    let attacker = Attacker::at(&house);
    for assignments in [
        "revoked_ms = NULL",
        "revoked_ms = NULL, sequence = sequence - 1",
    ] {
        let revoked = "revoked_ms IS NOT NULL";
        let before = attacker.tamper("credentials", "TRUE", || {
            attacker.alter("credentials", revoked, assignments);
        });
        assert_eq!(holder.get("/self").await.status, 401, "{assignments}");
        attacker.put_back(before);
    }
    let status = house.stop();
    assert!(status.success(), "{status}");
    let damaged = Logs::of(&house).await.damaged_in_platform().await;
    assert_eq!(damaged, 2);
}

/// What an attacker does, and what has to come of it.
struct Attack {
    what: &'static str,
    rows: Rows,
    edit: fn(&Scene),
    /// To whom requests have to be refused; nobody else notices.
    refused: &'static [(usize, Who)],
    because: Because,
}

/// Why requests are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Because {
    /// What is found is not what was written, and no request is answered that rests on it.
    Damaged,
    /// Nothing is found: whoever needs a right has none.
    Lost,
}

/// What is edited.
#[derive(Debug, Clone, Copy)]
enum Rows {
    Records(&'static [RecordKind]),
    Credentials,
}

/// Somebody in each of the two organizations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Owner,
    /// A member, with a grant.
    Bob,
    /// An agent, with a grant.
    Robot,
    /// An agent whose team has a grant.
    Crew,
}

const ALL: [Who; 4] = [Who::Owner, Who::Bob, Who::Robot, Who::Crew];

const ATTACKS: [Attack; 25] = [
    Attack {
        what: "a member whose role was raised",
        rows: MEMBERS,
        edit: |scene| {
            let owner = format!("state = {}", Role::Owner as u8);
            scene
                .attacker
                .alter("records", &scene.person(0, Who::Bob), &owner);
        },
        refused: &[(0, Who::Bob)],
        because: Because::Damaged,
    },
    Attack {
        what: "a member with an owner's bytes",
        rows: MEMBERS,
        edit: |scene| {
            let from = scene.person(0, Who::Owner);
            scene.put_bytes(&from, &scene.person(0, Who::Bob));
        },
        refused: &[(0, Who::Bob)],
        because: Because::Damaged,
    },
    Attack {
        what: "a member with the bytes of another organization's owner",
        rows: MEMBERS,
        edit: |scene| {
            let from = scene.person(1, Who::Owner);
            scene.put_bytes(&from, &scene.person(0, Who::Bob));
        },
        refused: &[(0, Who::Bob)],
        because: Because::Damaged,
    },
    Attack {
        what: "members of one organization",
        rows: MEMBERS,
        edit: |scene| {
            scene.exchange_records([(0, Who::Owner), (0, Who::Bob)], Scene::person);
        },
        refused: &[(0, Who::Owner), (0, Who::Bob)],
        because: Because::Damaged,
    },
    Attack {
        what: "members of two organizations",
        rows: MEMBERS,
        edit: |scene| scene.exchange_records([(0, Who::Bob), (1, Who::Bob)], Scene::person),
        refused: &[(0, Who::Bob), (1, Who::Bob)],
        because: Because::Damaged,
    },
    Attack {
        what: "agents of one organization",
        rows: Rows::Records(&[RecordKind::Agent]),
        edit: |scene| {
            scene.exchange_records([(0, Who::Robot), (0, Who::Crew)], Scene::person);
        },
        refused: &[(0, Who::Robot), (0, Who::Crew)],
        because: Because::Damaged,
    },
    Attack {
        what: "agents of two organizations",
        rows: Rows::Records(&[RecordKind::Agent]),
        edit: |scene| {
            scene.exchange_records([(0, Who::Robot), (1, Who::Robot)], Scene::person);
        },
        refused: &[(0, Who::Robot), (1, Who::Robot)],
        because: Because::Damaged,
    },
    Attack {
        what: "an agent that became an owner",
        rows: Rows::Records(&[RecordKind::Agent, RecordKind::Member]),
        edit: |scene| {
            let owner = format!(
                "kind = {}, state = {}",
                RecordKind::Member as u8,
                Role::Owner as u8
            );
            scene
                .attacker
                .alter("records", &scene.person(0, Who::Robot), &owner);
        },
        refused: &[(0, Who::Robot)],
        because: Because::Damaged,
    },
    Attack {
        what: "grants of one organization",
        rows: GRANTS,
        edit: |scene| scene.exchange_records([(0, Who::Bob), (0, Who::Robot)], Scene::grant),
        refused: &[(0, Who::Bob), (0, Who::Robot)],
        because: Because::Damaged,
    },
    Attack {
        what: "grants of two organizations",
        rows: GRANTS,
        edit: |scene| scene.exchange_records([(0, Who::Robot), (1, Who::Robot)], Scene::grant),
        refused: &[(0, Who::Robot), (1, Who::Robot)],
        because: Because::Lost,
    },
    Attack {
        what: "grants of teams of two organizations",
        rows: GRANTS,
        edit: |scene| scene.exchange_records([(0, Who::Crew), (1, Who::Crew)], Scene::grant),
        refused: &[(0, Who::Crew), (1, Who::Crew)],
        because: Because::Lost,
    },
    Attack {
        what: "grants of two organizations, each to whom the other was",
        rows: GRANTS,
        edit: |scene| {
            let rows = [0, 1].map(|org| scene.grant(org, Who::Robot));
            let place = ["org_id", "kind", "id", "parent"];
            scene.attacker.exchange_all_but("records", &place, rows);
        },
        refused: &[(0, Who::Robot), (1, Who::Robot)],
        because: Because::Damaged,
    },
    Attack {
        what: "a grant copied to another organization",
        rows: GRANTS,
        edit: |scene| {
            let own = &scene.orgs[0];
            let changes = [("org_id", &*own.org), ("parent", own.principal(Who::Robot))];
            scene
                .attacker
                .copy("records", &scene.grant(1, Who::Robot), &changes);
        },
        refused: &[(0, Who::Robot)],
        because: Because::Damaged,
    },
    Attack {
        what: "a grant copied for somebody else",
        rows: GRANTS,
        edit: |scene| {
            let changes = [
                ("id", NEW_ID),
                ("parent", scene.orgs[0].principal(Who::Crew)),
            ];
            scene
                .attacker
                .copy("records", &scene.grant(0, Who::Robot), &changes);
        },
        refused: &[(0, Who::Crew)],
        because: Because::Damaged,
    },
    Attack {
        what: "a grant with another's bytes",
        rows: GRANTS,
        edit: |scene| {
            let from = scene.grant(0, Who::Bob);
            scene.put_bytes(&from, &scene.grant(0, Who::Robot));
        },
        refused: &[(0, Who::Robot)],
        because: Because::Damaged,
    },
    Attack {
        what: "a grant that lasts longer",
        rows: GRANTS,
        edit: |scene| {
            let later = "expires_ms = expires_ms + 1";
            scene
                .attacker
                .alter("records", &scene.grant(0, Who::Robot), later);
        },
        refused: &[(0, Who::Robot)],
        because: Because::Damaged,
    },
    Attack {
        what: "seats in two teams of one organization",
        rows: SEATS,
        edit: |scene| scene.exchange_records([(0, Who::Bob), (0, Who::Crew)], Scene::seat),
        refused: &[(0, Who::Bob), (0, Who::Crew)],
        because: Because::Damaged,
    },
    Attack {
        what: "seats in teams of two organizations",
        rows: SEATS,
        edit: |scene| scene.exchange_records([(0, Who::Crew), (1, Who::Crew)], Scene::seat),
        refused: &[(0, Who::Crew), (1, Who::Crew)],
        because: Because::Lost,
    },
    Attack {
        what: "seats in teams of two organizations, each of whom the other was",
        rows: SEATS,
        edit: |scene| {
            let rows = [0, 1].map(|org| scene.seat(org, Who::Crew));
            let place = ["org_id", "kind", "id", "parent"];
            scene.attacker.exchange_all_but("records", &place, rows);
        },
        refused: &[(0, Who::Crew), (1, Who::Crew)],
        because: Because::Damaged,
    },
    Attack {
        what: "a seat copied for somebody else",
        rows: SEATS,
        edit: |scene| {
            let robot = scene.orgs[0].principal(Who::Robot);
            let changes = [("id", NEW_ID), ("parent", robot), ("lookup", "NULL")];
            scene
                .attacker
                .copy("records", &scene.seat(0, Who::Crew), &changes);
        },
        refused: &[(0, Who::Robot)],
        because: Because::Damaged,
    },
    Attack {
        what: "teams of one organization",
        rows: Rows::Records(&[RecordKind::Team]),
        edit: |scene| scene.exchange_records([(0, Who::Bob), (0, Who::Crew)], Scene::team),
        refused: &[(0, Who::Bob), (0, Who::Crew)],
        because: Because::Damaged,
    },
    Attack {
        what: "credentials of one organization with each other's secret",
        rows: Rows::Credentials,
        edit: |scene| {
            scene.exchange_credentials([(0, Who::Owner), (0, Who::Bob)], &["sealed"]);
        },
        refused: &[(0, Who::Owner), (0, Who::Bob)],
        because: Because::Damaged,
    },
    Attack {
        what: "credentials of one organization that name each other's principal",
        rows: Rows::Credentials,
        edit: |scene| {
            scene.exchange_credentials([(0, Who::Owner), (0, Who::Bob)], &["principal_id"]);
        },
        refused: &[(0, Who::Owner), (0, Who::Bob)],
        because: Because::Damaged,
    },
    Attack {
        what: "credentials that name each other's organization",
        rows: Rows::Credentials,
        edit: |scene| {
            let columns = ["org_id", "principal_id"];
            scene.exchange_credentials([(0, Who::Bob), (1, Who::Bob)], &columns);
        },
        refused: &[(0, Who::Bob), (1, Who::Bob)],
        because: Because::Damaged,
    },
    Attack {
        what: "credentials of two organizations in all but their name",
        rows: Rows::Credentials,
        edit: |scene| {
            let columns = [
                "org_id",
                "principal_id",
                "kind",
                "sealed",
                "created_ms",
                "expires_ms",
                "sequence",
                "key_version",
                "mac",
            ];
            scene.exchange_credentials([(0, Who::Bob), (1, Who::Bob)], &columns);
        },
        refused: &[(0, Who::Bob), (1, Who::Bob)],
        because: Because::Damaged,
    },
];

const MEMBERS: Rows = Rows::Records(&[RecordKind::Member]);
const GRANTS: Rows = Rows::Records(&[RecordKind::Grant]);
const SEATS: Rows = Rows::Records(&[RecordKind::TeamSeat]);
/// An identifier that nothing has.
const NEW_ID: &str = "X'0123456789ab7def8123456789abcdef'";

impl Rows {
    fn table(self) -> &'static str {
        match self {
            Self::Records(_) => "records",
            Self::Credentials => "credentials",
        }
    }
}

/// A request that was refused, and where that has to stand.
struct Refused {
    /// The organization whose caller it was, if that was known.
    slug: String,
    is_authenticated: bool,
    because: Because,
    /// The request's identifier.
    id: String,
    named: String,
}

/// Two organizations that have the same names for different things, and alike people.
struct Scene {
    attacker: Attacker,
    orgs: [Own; 2],
}

/// One of them.
struct Own {
    company: Company,
    org: String,
    somebodies: BTreeMap<Who, Somebody>,
}

/// Somebody in it, by rows as SQL names them.
struct Somebody {
    principal: String,
    grant: Option<String>,
    team: Option<String>,
    credentials: Vec<(CredentialKind, Credential)>,
    /// Of the credentials.
    lookups: Vec<String>,
}

impl Scene {
    async fn settle(house: &House) -> Self {
        let attacker = Attacker::at(house);
        let one = Own::settle(house, &attacker, "one").await;
        let other = Own::settle(house, &attacker, "other").await;
        Self {
            attacker,
            orgs: [one, other],
        }
    }

    /// The row of a member or an agent.
    fn person(&self, org: usize, who: Who) -> String {
        let kind = match who {
            Who::Owner | Who::Bob => RecordKind::Member,
            Who::Robot | Who::Crew => RecordKind::Agent,
        };
        self.orgs[org].record(kind, self.orgs[org].principal(who))
    }

    /// The row of the grant to somebody, or to somebody's team.
    fn grant(&self, org: usize, who: Who) -> String {
        let grant = self.orgs[org].somebodies[&who].grant.as_deref();
        self.orgs[org].record(RecordKind::Grant, grant.expect("a grant"))
    }

    /// The row of somebody's team.
    fn team(&self, org: usize, who: Who) -> String {
        let team = self.orgs[org].somebodies[&who].team.as_deref();
        self.orgs[org].record(RecordKind::Team, team.expect("a team"))
    }

    /// The row of somebody's seat in it, by its identifier.
    fn seat(&self, org: usize, who: Who) -> String {
        let own = &self.orgs[org];
        let seats = RecordKind::TeamSeat;
        let found = self.attacker.find_one(&format!(
            "SELECT id FROM records WHERE org_id = {} AND kind = {} AND parent = {}",
            own.org,
            seats as u8,
            own.principal(who)
        ));
        own.record(seats, &literal(&found))
    }

    fn exchange_records(&self, whose: [(usize, Who); 2], row: fn(&Self, usize, Who) -> String) {
        let rows = whose.map(|(org, who)| row(self, org, who));
        self.attacker
            .exchange_all_but("records", &["org_id", "kind", "id"], rows);
    }

    /// Gives a record all of another's that stands under a seal or says what it is.
    fn put_bytes(&self, from: &str, to: &str) {
        let columns = "state, sealed, sequence, key_version, mac";
        let bytes = format!("({columns}) = (SELECT {columns} FROM records WHERE {from})");
        self.attacker.alter("records", to, &bytes);
    }

    /// Exchanges columns of the credentials that two have of each kind.
    fn exchange_credentials(&self, whose: [(usize, Who); 2], columns: &[&str]) {
        let [one, other] = whose.map(|(org, who)| &self.orgs[org].somebodies[&who].lookups);
        assert_eq!(one.len(), other.len());
        for lookups in one.iter().zip(other) {
            let rows = [lookups.0, lookups.1].map(|lookup| format!("lookup = {lookup}"));
            self.attacker.exchange("credentials", columns, rows);
        }
    }

    /// All rows of a kind that the two organizations have.
    fn among(&self, rows: Rows) -> String {
        let [one, other] = self.orgs.each_ref().map(|own| &own.org);
        let both = format!("org_id IN ({one}, {other})");
        match rows {
            Rows::Credentials => both,
            Rows::Records(kinds) => {
                let kinds = kinds.iter().map(|kind| (*kind as u8).to_string());
                let kinds = kinds.collect::<Vec<_>>().join(", ");
                format!("{both} AND kind IN ({kinds})")
            }
        }
    }

    /// Changes something that rights rest on, in both organizations.
    async fn outdate(&self, house: &House) {
        let operator = Bearer::new(house.control(), OPERATOR_TOKEN);
        for own in &self.orgs {
            for change in ["suspend", "resume"] {
                let path = format!("/organizations/{}/{change}", own.company.slug);
                let changed = operator.post(&path, Value::Null).await;
                assert_eq!(changed.status, 200, "{}", changed.body);
            }
        }
    }

    /// Every request of these is answered as ever, with what is their own organization's.
    async fn assert_served(&self, house: &House, whose: &[(usize, Who)], what: &str) {
        let all = whose.iter().map(|&(org, who)| async move {
            for asked in self.orgs[org].ask(house, who).await {
                let named = format!("{what}, {who:?} of {org}: {asked:?}");
                assert!(asked.status.is_success(), "{named}");
                self.orgs[org].assert_own(&asked, &named);
            }
        });
        join_all(all).await;
    }

    async fn assert_refused(&self, house: &House, attack: &Attack) -> Vec<Refused> {
        let all = attack.refused.iter().map(|&(org, who)| async move {
            let own = &self.orgs[org];
            let asked = own.ask(house, who).await.into_iter();
            asked
                .map(move |asked| (own, who, asked))
                .collect::<Vec<_>>()
        });
        let mut refused = Vec::new();
        for (own, who, asked) in join_all(all).await.into_iter().flatten() {
            let named = format!("{}, {who:?}: {asked:?}", attack.what);
            let is_right = match (attack.because, attack.rows) {
                (Because::Lost, _) if asked.is_of_anybody() => {
                    assert!(asked.status.is_success(), "{named}");
                    continue;
                }
                (Because::Lost, _) => asked.status.is_client_error(),
                (Because::Damaged, Rows::Records(_)) => {
                    asked.status == StatusCode::INTERNAL_SERVER_ERROR
                }
                // Before the caller is known, there may be no more to tell than to a stranger.
                (Because::Damaged, Rows::Credentials) => !asked.status.is_success(),
            };
            assert!(is_right, "{named}");
            refused.push(Refused {
                slug: own.company.slug.clone(),
                id: asked.id,
                is_authenticated: matches!(attack.rows, Rows::Records(_)),
                because: attack.because,
                named: format!("{}, {who:?}, {}", attack.what, asked.what),
            });
        }
        refused
    }

    /// In the organization's log, under its request's identifier, if the caller was known; in the
    /// platform's log, which gathers, if not.
    async fn assert_recorded(&self, house: &House, refused: &[Refused]) {
        let logs = Logs::of(house).await;
        let mut recorded = BTreeMap::new();
        for own in &self.orgs {
            let slug = &own.company.slug;
            recorded.insert(slug, refusals_in(&logs, slug).await);
        }
        let (known, unknown): (Vec<_>, Vec<_>) =
            refused.iter().partition(|one| one.is_authenticated);
        for Refused {
            slug,
            id,
            because,
            named,
            ..
        } in known
        {
            assert_eq!(recorded[slug].get(id), Some(because), "{named}");
        }
        assert!(!unknown.is_empty());
        assert_eq!(logs.damaged_in_platform().await, unknown.len() as u64);
    }
}

impl Own {
    async fn settle(house: &House, attacker: &Attacker, name: &str) -> Self {
        let company = Company::found(house, &format!("owner@{name}.example")).await;
        let org = org_literal(&company.id);
        let mut somebodies = BTreeMap::new();
        let bob = company
            .member(house, &format!("bob@{name}.example"), "member")
            .await;
        for (who, person) in [(Who::Owner, &company.owner), (Who::Bob, &bob)] {
            let key = company.key_of(person).await;
            let credentials = vec![
                (
                    CredentialKind::StsSession,
                    Credential::session_of(house, &key).await,
                ),
                (CredentialKind::AccessKey, Credential::AccessKey(key)),
                (
                    CredentialKind::ApiToken,
                    Credential::Bearer(company.token_of(person).await),
                ),
                (
                    CredentialKind::Session,
                    Credential::Bearer(person.session.clone()),
                ),
            ];
            let principal = &person.principal;
            somebodies.insert(who, Somebody::new(attacker, &org, principal, credentials));
        }
        for (who, name) in [(Who::Robot, "Robot"), (Who::Crew, "Crew")] {
            let agent = company.agent(name).await;
            let key = company.key_of_agent(&agent).await;
            let token = company.token_of_agent(&agent).await;
            // Without a right to anything, it makes itself a session all the same.
            let credentials = vec![
                (
                    CredentialKind::StsSession,
                    Credential::session_of(house, &key).await,
                ),
                (CredentialKind::AccessKey, Credential::AccessKey(key)),
                (CredentialKind::ApiToken, Credential::Bearer(token)),
            ];
            somebodies.insert(who, Somebody::new(attacker, &org, &agent, credentials));
            if who == Who::Robot {
                let grant = company
                    .grant_until("agent", &agent, "2100-01-01T00:00:00Z")
                    .await;
                somebodies
                    .entry(who)
                    .and_modify(|robot| robot.grant = Some(id_literal(&grant)));
            } else {
                let team = company.team("Crew", &[&agent]).await;
                let grant = company.grant("team", &team).await;
                somebodies.entry(who).and_modify(|crew| {
                    crew.team = Some(id_literal(&team));
                    crew.grant = Some(id_literal(&grant));
                });
            }
        }
        let desk = company.team("Desk", &[&bob.principal]).await;
        let grant = company.grant("member", &bob.principal).await;
        somebodies.entry(Who::Bob).and_modify(|bob| {
            bob.team = Some(id_literal(&desk));
            bob.grant = Some(id_literal(&grant));
        });
        let own = Self {
            company,
            org,
            somebodies,
        };
        own.fill(house).await;
        own
    }

    /// Puts the object and the secret there that everybody asks for.
    async fn fill(&self, house: &House) {
        let owner = &self.somebodies[&Who::Owner].credentials[1].1;
        let client = owner.client(house, "s3").expect("an access key");
        for (target, body) in [("/docs", String::new()), ("/docs/note", self.content())] {
            let put = client.send(Method::PUT, target, &[], body).await;
            let put = put.expect("an answer");
            assert!(put.status.is_success(), "{put:?}");
        }
        let secret = json!({ "path": "db", "value": { "text": self.content() } });
        self.company.make("secrets", secret).await;
    }

    fn content(&self) -> String {
        format!("of {}", self.company.slug)
    }

    fn principal(&self, who: Who) -> &str {
        &self.somebodies[&who].principal
    }

    fn record(&self, kind: RecordKind, id: &str) -> String {
        format!(
            "org_id = {} AND kind = {} AND id = {id}",
            self.org, kind as u8
        )
    }

    /// Everything that somebody can ask, by each credential.
    async fn ask(&self, house: &House, who: Who) -> Vec<Asked> {
        let mut asked = Vec::new();
        for (_, credential) in &self.somebodies[&who].credentials {
            asked.extend(credential.ask_everywhere(house, &self.company.id).await);
        }
        asked
    }

    fn assert_own(&self, asked: &Asked, named: &str) {
        if ["GetObject", "GetSecretValue", "KvReadValue"].contains(&asked.what) {
            assert!(asked.body.contains(&self.content()), "{named}");
        }
    }
}

impl Somebody {
    fn new(
        attacker: &Attacker,
        org: &str,
        principal: &str,
        credentials: Vec<(CredentialKind, Credential)>,
    ) -> Self {
        let principal = id_literal(principal);
        let lookups = credentials.iter().map(|(kind, _)| {
            let found = attacker.find_one(&format!(
                "SELECT lookup FROM credentials WHERE org_id = {org} AND principal_id = {principal} \
                 AND kind = {}",
                *kind as u8
            ));
            literal(&found)
        });
        Self {
            lookups: lookups.collect(),
            principal,
            grant: None,
            team: None,
            credentials,
        }
    }
}

async fn ask(bearer: &Bearer, method: Method, path: &str, body: Value) -> Reply {
    bearer.send_unchecked(method, path, &[], body).await
}

fn request_id(reply: &Reply) -> &str {
    reply.headers["x-amz-request-id"].to_str().expect("text")
}

/// What an organization's log says of requests that were refused, by their identifiers.
async fn refusals_in(logs: &Logs, slug: &str) -> BTreeMap<String, Because> {
    let entries = logs.organization(slug).await.into_iter();
    let refusals = entries.filter_map(|entry| match entry.outcome {
        Outcome::Damaged { .. } => Some((entry.request_id, Because::Damaged)),
        Outcome::Refused { .. } => Some((entry.request_id, Because::Lost)),
        _ => None,
    });
    refusals.collect()
}

fn org_literal(id: &str) -> String {
    literal(id.parse::<OrgId>().expect("an identifier").bytes())
}

fn id_literal(id: &str) -> String {
    literal(id.parse::<PrincipalId>().expect("an identifier").bytes())
}
