//! The command line as people and programs use it against a running server.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use bulkhead::cli::Cli;
use clap::{Command, CommandFactory};
use serde_json::Value;

use crate::support::house::House;
use crate::support::person::{OPERATOR_TOKEN, PASSWORD, Person, refusal};

async fn house() -> House {
    House::start_with(&[("CONTROL_OPERATOR_TOKEN", OPERATOR_TOKEN)]).await
}

#[tokio::test]
async fn a_profile_lives_from_log_in_to_log_out() {
    let house = house().await;
    let olivia = Person::with_account(house.control(), "olivia@example.com", "Olivia");
    let mode = fs::metadata(olivia.profiles())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = stored_token(&olivia);
    assert!(token.starts_with("bks_"), "a session");

    let profile = &olivia.json(&["profile", "list"])[0];
    assert_eq!(profile["name"], "default");
    assert_eq!(
        (&profile["current"], &profile["logged_in"]),
        (&true.into(), &true.into())
    );
    assert!(!olivia.done(&["profile", "list"]).contains(&token));
    let caller = &olivia.json(&["account", "whoami"])[0];
    assert_eq!(caller["account"]["email"], "olivia@example.com");
    assert_eq!(caller["role"], "owner");

    // A token of one server is shown to no other, and by name to its own.
    let elsewhere = olivia.refused(&["account", "whoami", "--url", "http://127.0.0.1:9"]);
    assert!(
        elsewhere.contains("no token for http://127.0.0.1:9"),
        "{elsewhere}"
    );
    olivia.done(&["account", "whoami", "--profile", "default"]);
    let unknown = olivia.refused(&["account", "whoami", "--profile", "other"]);
    assert!(unknown.contains("no profile `other`"), "{unknown}");

    olivia.done(&["logout"]);
    assert!(
        !fs::read_to_string(olivia.profiles())
            .unwrap()
            .contains(&token)
    );
    let out = olivia.refused(&["account", "whoami"]);
    assert!(out.contains("bulkhead login"), "{out}");
    let file = olivia.file("token", &token);
    let ended = olivia.refused(&["account", "whoami", "--token-file", &file]);
    assert!(ended.contains("does not accept the token"), "{ended}");

    // The address is known: the password is enough.
    let password = olivia.file("password", PASSWORD);
    let again = ["login", "--email", "olivia@example.com", "--password-file"];
    olivia.done(&[&again[..], &[&password]].concat());
    olivia.done(&["account", "whoami"]);
    olivia.done(&["profile", "remove", "default", "--yes"]);
    let gone = olivia.refused(&["account", "whoami"]);
    assert!(gone.contains("no server is named"), "{gone}");
}

#[tokio::test]
async fn a_password_is_asked_for_and_not_shown() {
    let house = house().await;
    let olivia = Person::with_account(house.control(), "olivia@example.com", "Olivia");
    olivia.done(&["logout"]);
    let mut terminal = olivia.at_terminal(&["login"]);
    terminal.awaits("E-mail: ");
    terminal.types("olivia@example.com");
    terminal.awaits("Password: ");
    terminal.types(PASSWORD);
    let (status, shown) = terminal.ends();
    assert!(status.success(), "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    assert_eq!(olivia.json(&["account", "whoami"])[0]["kind"], "member");

    // Control-C ends it at once, and leaves a terminal that shows what is typed.
    let mut terminal = olivia.at_terminal(&["login", "--email", "olivia@example.com"]);
    terminal.awaits("Password: ");
    assert!(!terminal.echoes());
    terminal.presses("half\u{3}");
    terminal.awaits("interrupted");
    assert!(terminal.echoes());
    assert_eq!(terminal.ends().0.code(), Some(1));
    // What a terminal would cut off is not taken for the whole.
    let mut terminal = olivia.at_terminal(&["secret", "put", "long"]);
    terminal.awaits("Value: ");
    terminal.types(&"x".repeat(5000));
    let (status, shown) = terminal.ends();
    assert_eq!(status.code(), Some(1), "{shown}");
    assert!(shown.contains("less than 4095 bytes"), "{shown}");
}

#[tokio::test]
async fn profiles_are_used_by_name_and_switch_organizations() {
    let house = house().await;
    let control = house.control();
    let olivia = Person::with_account(control, "olivia@example.com", "Olivia");
    let ben = Person::with_account(control, "ben@example.com", "Ben");
    let own = ben.json(&["account", "whoami"])[0]["organization"].clone();
    let invitation = &olivia.json(&["invite", "create", "ben@example.com", "--role", "admin"])[0];
    let token = text(invitation, "token");
    ben.done_fed(&["account", "accept", "--invitation-file", "-"], &token);

    let seats = ben.json(&["account", "organizations"]);
    assert_eq!(seats.len(), 2);
    let before = stored_token(&ben);
    let there = seats
        .iter()
        .find(|seat| seat["organization"] != own)
        .unwrap();
    ben.done(&["account", "switch", &text(there, "slug")]);
    let caller = &ben.json(&["account", "whoami"])[0];
    assert_eq!(caller["organization"], there["organization"]);
    assert_eq!(caller["role"], "admin");
    assert_eq!(ben.json(&["member", "list"]).len(), 2);
    // The session before has ended.
    let file = ben.file("before", &before);
    ben.refused(&["account", "whoami", "--token-file", &file]);

    // Two profiles of one server, each with its own organization.
    let password = ben.file("password", PASSWORD);
    let url = format!("http://{control}");
    let home = [
        "login",
        "--profile",
        "home",
        "--url",
        &url,
        "--email",
        "ben@example.com",
    ];
    ben.done(&[&home[..], &["--password-file", &password]].concat());
    assert_eq!(ben.json(&["account", "whoami"])[0]["organization"], own);
    ben.done(&["profile", "use", "default"]);
    assert_eq!(ben.json(&["member", "list"]).len(), 2);
    assert_eq!(ben.json(&["member", "list", "--profile", "home"]).len(), 1);
    // Another's organization and none are alike.
    let elsewhere = ben.refused(&[
        "member",
        "list",
        "--profile",
        "home",
        "--org",
        &text(there, "slug"),
    ]);
    let nowhere = ben.refused(&["member", "list", "--profile", "home", "--org", "nowhere"]);
    assert_eq!(elsewhere, nowhere);
    assert!(nowhere.contains("no-such-organization"), "{nowhere}");
}

#[tokio::test]
async fn errors_are_one_clear_line() {
    let house = house().await;
    let control = house.control();
    let olivia = Person::with_account(control, "olivia@example.com", "Olivia");
    let url = format!("http://{control}");
    let stranger = Person::new();
    let (wrong, free) = (stranger.file("token", "bkt_abc_def"), free_port());
    let api = format!("http://{}", house.api());
    for (arguments, expected) in [
        (vec!["member", "list"], "no server is named"),
        (
            vec!["member", "list", "--url", &url, "--token-file", &wrong],
            "does not accept the token",
        ),
        (
            vec!["member", "list", "--url", &free, "--token-file", &wrong],
            "cannot reach http://127.0.0.1:",
        ),
        (
            vec!["member", "list", "--url", &api, "--token-file", &wrong],
            "is it the control address?",
        ),
        (
            vec![
                "member",
                "list",
                "--url",
                "bulkhead",
                "--token-file",
                &wrong,
            ],
            "is no address of a server",
        ),
        (
            vec![
                "member",
                "list",
                "--url",
                "http://192.0.2.1",
                "--token-file",
                &wrong,
            ],
            "in the clear",
        ),
        (
            vec!["login", "--url", &url, "--token-file", &wrong],
            "does not accept the token",
        ),
    ] {
        let said = stranger.refused(&arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("abc_def"), "{said}");
    }
    assert!(
        !stranger.profiles().exists(),
        "nothing is kept of a log-in that failed"
    );

    let password = olivia.file("wrong", "not the right one");
    let log_in = ["login", "--email", "olivia@example.com", "--password-file"];
    let said = olivia.refused(&[&log_in[..], &[&password]].concat());
    assert!(said.contains("log-in-refused"), "{said}");
    // The session before is still there.
    olivia.done(&["account", "whoami"]);
    let said = olivia.refused(&["invite", "create", "no address"]);
    assert!(said.contains("[email] (400 invalid-request)"), "{said}");
    let said = olivia.refused(&["member", "show", "nobody@example.com"]);
    assert!(said.contains("there is no member or agent"), "{said}");
}

#[tokio::test]
async fn an_organization_is_run_from_the_command_line() {
    let house = house().await;
    let control = house.control();
    let olivia = Person::with_account(control, "olivia@example.com", "Olivia");

    // People.
    let invitation = &olivia.json(&["invite", "create", "ben@example.com"])[0];
    assert_eq!(olivia.json(&["invite", "list"]).len(), 1);
    let ben = Person::new();
    let token = ben.file("invitation", &text(invitation, "token"));
    let password = ben.file("password", PASSWORD);
    let url = format!("http://{control}");
    let join = ["account", "join", "--name", "Ben", "--url", &url];
    let files = ["--invitation-file", &token, "--password-file", &password];
    let joined = &ben.json(&[&join[..], &files].concat())[0];
    assert_eq!(olivia.json(&["invite", "list"]).len(), 0);
    let slug = text(&olivia.json(&["org", "show"])[0], "slug");
    assert_eq!(joined["slug"], slug.as_str(), "{joined}");
    let caller = &ben.json(&["account", "whoami"])[0];
    assert_eq!(caller["role"], "member");
    assert_eq!(ben.json(&["account", "organizations"]).len(), 2);
    // The session at home, with which it began, has ended: one is left of the two.
    let home = ben.json(&["account", "organizations"]);
    let home = home.iter().find(|seat| seat["role"] == "owner").unwrap();
    ben.done(&["account", "switch", &text(home, "slug")]);
    let alive = ben.json(&["token", "list"]).into_iter();
    let sessions = alive.filter(|one| one["kind"] == "session" && one["revoked_at"].is_null());
    assert_eq!(sessions.count(), 1);
    ben.done(&["account", "switch", &slug]);
    let viewer = &olivia.json(&["member", "role", "ben@example.com", "viewer"])[0];
    assert_eq!(viewer["role"], "viewer");

    // Agents and teams.
    let make = [
        "agent",
        "create",
        "researcher",
        "--department",
        "R&D",
        "--setting",
        "model=large",
    ];
    let agent = &olivia.json(&make)[0];
    assert_eq!(agent["settings"]["model"], "large");
    let change = ["agent", "change", "researcher", "--project", "Apollo"];
    let settings = ["--setting", "tone=dry", "--unset", "model"];
    let changed = &olivia.json(&[&change[..], &settings].concat())[0];
    assert_eq!(changed["settings"], serde_json::json!({"tone": "dry"}));
    assert_eq!(
        (
            &changed["name"],
            &changed["department"],
            &changed["project"]
        ),
        (&"researcher".into(), &"R&D".into(), &"Apollo".into())
    );
    let off = ["agent", "change", "researcher", "--department", ""];
    let changed = &olivia.json(&off)[0];
    assert_eq!(
        (&changed["department"], &changed["project"]),
        (&Value::Null, &"Apollo".into())
    );
    olivia.done(&["team", "create", "readers"]);
    olivia.done(&["team", "add", "readers", "researcher"]);
    olivia.done(&["team", "add", "readers", "ben@example.com"]);
    assert_eq!(olivia.json(&["team", "members", "readers"]).len(), 2);
    olivia.done(&["team", "remove", "readers", "ben@example.com"]);
    assert_eq!(olivia.json(&["team", "members", "readers"]).len(), 1);

    // Grants, and why.
    let explain = [
        "access",
        "explain",
        "--as",
        "researcher",
        "--action",
        "s3:GetObject",
    ];
    let explain = [&explain[..], &["--resource", "drive:reports/2026.csv"]].concat();
    assert_eq!(olivia.json(&explain)[0]["allowed"], false);
    let grant = ["grant", "create", "--to", "readers", "--action", "s3:Get*"];
    let grant = &olivia.json(&[&grant[..], &["--resource", "drive:reports/*"]].concat())[0];
    assert_eq!(
        &olivia.json(&["grant", "list"])[..],
        std::slice::from_ref(grant)
    );
    let explained = &olivia.json(&explain)[0];
    assert_eq!(explained["allowed"], true);
    assert!(
        text(explained, "rule").contains(&text(grant, "id")),
        "{explained}"
    );
    assert!(olivia.done(&explain).starts_with("ALLOWED  yes\nRULE     "));
    olivia.done(&["grant", "revoke", &text(grant, "id")]);
    assert_eq!(olivia.json(&explain)[0]["allowed"], false);

    // Credentials.
    let made = &olivia.json(&["token", "create", "--agent", "researcher", "--read-only"])[0];
    let as_agent = Person::new()
        .with("BULKHEAD_URL", &url)
        .with("BULKHEAD_TOKEN", &text(made, "token"));
    assert_eq!(as_agent.json(&["account", "whoami"])[0]["kind"], "agent");
    olivia.done(&["agent", "suspend", "researcher"]);
    as_agent.refused(&["account", "whoami"]);
    olivia.done(&["agent", "resume", "researcher"]);
    olivia.done(&["token", "revoke", &text(made, "id"), "--of-another"]);
    as_agent.refused(&["account", "whoami"]);
    let exports = olivia.done(&["key", "create", "--profile", "default"]);
    assert!(exports.contains("export AWS_ACCESS_KEY_ID=BK"), "{exports}");
    assert!(
        exports.contains("export AWS_SECRET_ACCESS_KEY="),
        "{exports}"
    );
    assert_eq!(
        olivia.json(&["key", "list", "--profile", "default"]).len(),
        1
    );

    // The organization itself.
    let set = ["org", "set", "--name", "Acme", "--setting", "color=red"];
    assert_eq!(olivia.json(&set)[0]["settings"]["color"], "red");
    olivia.done(&["org", "set", "--unset", "color"]);
    let shown = &olivia.json(&["org", "show"])[0];
    assert_eq!(shown["profile"]["name"], "Acme");
    assert_eq!(shown["profile"]["settings"], serde_json::json!({}));

    // What was done, and who did it.
    let events = olivia.json(&["activity", "list", "--limit", "1000"]);
    assert!(
        events
            .iter()
            .any(|event| event["operation"] == "CreateAgent")
    );
    let export = [
        "activity",
        "export",
        "--action",
        "organization:ManageAgents",
    ];
    let exported: Vec<Value> = olivia
        .done(&export)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        exported
            .iter()
            .all(|event| event["action"] == exported[0]["action"])
    );
    olivia.done(&["usage", "hours"]);
    olivia.done(&["usage", "limits"]);
}

#[tokio::test]
async fn the_operator_works_by_url_where_one_is_named_and_here_where_none_is() {
    let house = house().await;
    let operator = Person::operator(house.control());
    assert_eq!(operator.json(&["account", "whoami"])[0]["kind"], "operator");
    let made = &operator.json(&["org", "create", "acme"])[0];
    assert_eq!(made["slug"], "acme");
    assert_eq!(
        operator.json(&["org", "suspend", "acme"])[0]["state"],
        "suspended"
    );
    assert_eq!(
        operator.json(&["org", "resume", "acme"])[0]["state"],
        "active"
    );
    let key = &operator.json(&["key", "create", "--org", "acme", "--read-only"])[0];
    assert_eq!(key["scope"], "read-only");
    operator.done(&["key", "revoke", "--org", "acme", &text(key, "id")]);
    let keys = operator.json(&["key", "list", "--org", "acme"]);
    assert!(keys[0]["revoked_at"].is_string());
    // Of the data here, the same is shown.
    assert_eq!(
        house.command(&["key", "list", "--org", "acme", "--json"]),
        keys[0]
    );

    // With all that it begins with, and again, as after a failure.
    operator.done(&["plan", "create", "team"]);
    let create = ["org", "create", "beta", "--name", "Beta", "--plan", "team"];
    let create = [&create[..], &["--owner", "ada@beta.test"]].concat();
    let made = operator.json(&create);
    assert_eq!(
        (&made[0]["slug"], &made[0]["plan"]),
        (&"beta".into(), &"team".into())
    );
    assert_eq!(operator.json(&create), made);
    let shown = operator.done(&create);
    let token = text(&made[0]["invitation"], "token");
    assert!(
        shown.starts_with("SLUG  STATE") && shown.contains(&format!("\nTOKEN    {token}\n")),
        "{shown}"
    );
    let other = operator.refused(&["org", "create", "beta", "--plan", "team"]);
    assert!(other.contains("(422 idempotency-key-reused)"), "{other}");
    let none = ["org", "create", "gamma", "--template", "none"];
    let said = operator.refused(&none);
    assert!(said.contains("[template] (404 "), "{said}");
    let here = house.run(&none);
    let said = refusal(&none, here);
    assert!(said.contains("by a running server"), "{said}");

    let profile = operator.file("token", OPERATOR_TOKEN);
    operator.done(&["login", "--profile", "ops", "--token-file", &profile]);
    let stored = fs::read_to_string(operator.profiles()).unwrap();
    assert!(stored.contains(OPERATOR_TOKEN));
}

#[tokio::test]
async fn plans_credit_and_use_are_seen_by_members_and_set_by_the_operator() {
    let house = house().await;
    let operator = Person::operator(house.control());
    let olivia = Person::with_account(house.control(), "olivia@example.com", "Olivia");
    let slug = text(&olivia.json(&["org", "show"])[0], "slug");
    let at = |arguments: &[&str]| operator.json(&[arguments, &["--org", &slug]].concat());

    // Plans. What a change does not name stays.
    let make = ["plan", "create", "team", "--name", "Team"];
    let terms = ["--limit", "agents=2", "--limit", "secrets=9"];
    let costs = ["--price", "requests=3/1", "--price", "agent_runs=2"];
    let made = &operator.json(&[&make[..], &terms, &costs].concat())[0];
    assert_eq!(made["limits"]["agents"], 2);
    assert_eq!(made["prices"]["requests"]["units"], 3);
    assert_eq!(made["billing"], "postpaid");
    let change = ["plan", "change", "team", "--limit", "agents=3"];
    let more = ["--no-limit", "secrets", "--no-price", "agent_runs"];
    let changed = &operator.json(&[&change[..], &more].concat())[0];
    assert_eq!(
        (&changed["name"], &changed["limits"]["agents"]),
        (&"Team".into(), &3.into())
    );
    assert_eq!(changed["limits"]["secrets"], Value::Null);
    assert_eq!(
        changed["prices"],
        serde_json::json!({"requests": {"units": 3, "per": 1}})
    );
    assert_eq!(&operator.json(&["plan", "show", "team"])[0], changed);
    let table = operator.done(&["plan", "list"]);
    let row = table.lines().nth(1).expect("a row");
    assert!(
        row.starts_with("team  Team  postpaid  agents=3  requests=3/1  20"),
        "{table}"
    );
    let said = operator.refused(&["plan", "change", "team", "--limit", "dragons=1"]);
    assert!(said.contains("dragons"), "{said}");

    let none = olivia.done(&["plan", "show"]);
    assert_eq!(none, "No plan: no limit, no price\n");
    assert_eq!(at(&["plan", "set", "team"])[0]["plan"]["slug"], "team");
    assert_eq!(olivia.json(&["plan", "show"])[0]["plan"]["slug"], "team");
    assert!(
        olivia
            .done(&["plan", "show"])
            .starts_with("SLUG     team\n")
    );
    let limits = olivia.json(&["usage", "limits"]);
    assert_eq!(
        (&limits[0]["limit"], &limits[0]["max"]),
        (&"agents".into(), &3.into())
    );
    let said = olivia.refused(&["plan", "set", "team"]);
    assert!(said.contains("(403 "), "{said}");

    // Credit: a reference is granted once.
    let grant = ["credit", "grant", "500", "--reason", "Welcome"];
    let grant = [&grant[..], &["--reference", "w-1", "--priority", "7"]].concat();
    let line = at(&grant).remove(0);
    assert_eq!(
        (&line["amount"], &line["priority"]),
        (&500.into(), &7.into())
    );
    assert_eq!(at(&grant)[0], line);
    let credit = &olivia.json(&["credit", "balance"])[0];
    assert_eq!(
        credit["credits"].as_array().map(Vec::len),
        Some(1),
        "{credit}"
    );
    let shown = olivia.done(&["credit", "balance"]);
    assert!(
        shown.starts_with("BALANCE    ") && shown.contains("\n\nGRANT  LEFT  PRIORITY  EXPIRES\n"),
        "{shown}"
    );
    let ledger = olivia.json(&["credit", "ledger"]);
    let grants: Vec<_> = ledger
        .iter()
        .filter(|line| line["kind"] == "grant")
        .collect();
    assert_eq!((grants.len(), &grants[0]["reason"]), (1, &"Welcome".into()));

    // A statement of the month, as people, programs and spreadsheets read it.
    let month = text(&line, "at")[..7].to_owned();
    let statement = &olivia.json(&["statement", &month])[0];
    assert_eq!(
        (&statement["month"], &statement["granted"]),
        (&month.as_str().into(), &500.into())
    );
    let table = olivia.done(&["statement", &month]);
    assert!(table.starts_with("MONTH            20"), "{table}");
    assert!(table.contains("\n\nLINE  AT"), "{table}");
    let csv = olivia.done(&["statement", &month, "--csv"]);
    assert!(csv.starts_with("organization,month,number,at,"), "{csv}");
    assert!(csv.contains(",500,"), "{csv}");

    // Use, told apart, sent once and exported.
    olivia.done(&["agent", "create", "researcher"]);
    let agent = text(&olivia.json(&["agent", "show", "researcher"])[0], "id");
    let event = serde_json::json!([{
        "id": "run-1", "meter": "agent_runs", "amount": 4, "at": line["at"], "principal": agent,
    }]);
    let send = ["usage", "send", "-", "--json"];
    for (counted, before) in [(1, 0), (0, 1)] {
        let sent = olivia.done_fed(&send, &event.to_string());
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(
            (&sent["counted"], &sent["counted_before"]),
            (&counted.into(), &before.into())
        );
    }
    let by_agent = ["usage", "by", "agent", "--meter", "agent_runs"];
    let groups = olivia.json(&by_agent);
    assert_eq!(groups.len(), 1);
    assert_eq!(
        (&groups[0]["name"], &groups[0]["used"]["agent_runs"]),
        (&"researcher".into(), &4.into())
    );
    let table = olivia.done(&by_agent);
    assert!(
        table.contains("\nresearcher  agent_runs  4       "),
        "{table}"
    );
    let csv = olivia.done(&["usage", "export", "--by", "principal"]);
    assert!(
        csv.starts_with("organization,hour,kind,id,meter,amount"),
        "{csv}"
    );
    let events = olivia.done(&["usage", "export", "--format", "cloud-events"]);
    let events: Value = serde_json::from_str(&events).unwrap();
    assert!(events.is_array(), "{events}");

    assert_eq!(at(&["plan", "set", "--none"])[0]["plan"], Value::Null);
}

#[tokio::test]
async fn a_table_is_for_people_and_json_for_programs() {
    let house = house().await;
    let olivia = Person::with_account(house.control(), "olivia@example.com", "Zoë Olivia");
    let table = olivia.done(&["member", "list"]);
    let lines: Vec<_> = table.lines().collect();
    let [heading, row] = lines[..] else {
        panic!("{table}");
    };
    assert!(
        heading.starts_with("E-MAIL              NAME        ROLE   SINCE"),
        "{table}"
    );
    assert!(
        row.starts_with("olivia@example.com  Zoë Olivia  owner  20"),
        "{table}"
    );
    let json = olivia.done(&["member", "list", "--json"]);
    assert_eq!(json.lines().count(), 1);
    let member: Value = serde_json::from_str(&json).unwrap();
    for name in ["id", "email", "name", "role", "created_at"] {
        assert!(member[name].is_string(), "{name}: {json}");
    }
    assert_eq!(olivia.done(&["agent", "list", "--json"]), "");
    assert!(olivia.done(&["agent", "list"]).starts_with("NAME  STATE"));
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_asked_about() {
    let house = house().await;
    let olivia = Person::with_account(house.control(), "olivia@example.com", "Olivia");
    olivia.done(&["agent", "create", "researcher"]);
    let delete = ["agent", "delete", "researcher"];
    let agents = || olivia.json(&["agent", "list"]).len();

    let said = refusal(&delete, olivia.run_fed(&delete, "researcher\n"));
    assert!(said.contains("there is none; say --yes"), "{said}");
    let mut terminal = olivia.at_terminal(&delete);
    terminal.awaits("Type `researcher` to go on: ");
    terminal.types("yes");
    let (status, shown) = terminal.ends();
    assert_eq!(status.code(), Some(1), "{shown}");
    assert_eq!(agents(), 1);
    let mut terminal = olivia.at_terminal(&delete);
    terminal.awaits("Type `researcher` to go on: ");
    terminal.types("researcher");
    let (status, shown) = terminal.ends();
    assert!(status.success(), "{shown}");
    assert_eq!(agents(), 0);

    let slug = text(&olivia.json(&["org", "show"])[0], "slug");
    olivia.refused(&["org", "delete"]);
    let mut terminal = olivia.at_terminal(&["org", "delete", "--grace-days", "30"]);
    terminal.awaits(&format!("Type `{slug}` to go on: "));
    terminal.types(&slug);
    let (status, shown) = terminal.ends();
    assert!(status.success(), "{shown}");
    let deleting = &olivia.json(&["org", "show"])[0];
    assert_eq!(deleting["state"], "deleting");
    assert_eq!(olivia.json(&["org", "restore"])[0]["state"], "active");
    assert_eq!(
        olivia.json(&["org", "delete", "--yes"])[0]["state"],
        "deleting"
    );

    // The operator destroys at once, there and here.
    let id = olivia.json(&["org", "show"])[0]["id"].clone();
    let operator = Person::operator(house.control());
    let destroy = ["org", "destroy", &slug, "--confirm"];
    let said = operator.refused(&[&destroy[..], &["another"]].concat());
    assert!(said.contains("nothing was destroyed"), "{said}");
    assert_eq!(olivia.json(&["org", "show"])[0]["state"], "deleting");
    let destroyed = operator.done(&[&destroy[..], &[&slug]].concat());
    let certificate: Value = serde_json::from_str(&destroyed).expect("a certificate");
    assert_eq!(certificate["organization"], id);
    olivia.refused(&["org", "show"]);
    house.create_organization("doomed");
    let refused = house.run(&["org", "destroy", "doomed"]);
    let said = refusal(&["org", "destroy", "doomed"], refused);
    assert!(said.contains("asks at a terminal"), "{said}");
}

#[tokio::test]
async fn values_come_from_files_input_and_prompts_and_never_from_arguments() {
    let house = house().await;
    let olivia = Person::with_account(house.control(), "olivia@example.com", "Olivia");
    let value_of = |path: &str| olivia.done(&["secret", "get", path]);

    olivia.done_fed(&["secret", "put", "stripe"], "from-input\n");
    assert_eq!(value_of("stripe"), "from-input");
    let pem = "-----BEGIN\nkey\n-----END\n";
    let file = olivia.file("key.pem", pem);
    olivia.done(&["secret", "put", "tls/key", "--from-file", &file]);
    assert_eq!(value_of("tls/key"), pem);
    let put = ["secret", "put", "db", "--kind", "basic", "--tag", "team=a"];
    let fields = r#"{"username": "u", "password": "p w"}"#;
    olivia.done_fed(&put, fields);
    let field = |name| olivia.done(&["secret", "get", "db", "--field", name]);
    assert_eq!((&*field("username"), &*field("password")), ("u", "p w"));
    let refused = refusal(&put, olivia.run_fed(&put, "no object"));
    assert!(refused.contains("(400 "), "{refused}");

    let mut terminal = olivia.at_terminal(&["secret", "put", "stripe"]);
    terminal.awaits("Value: ");
    terminal.types("typed-unseen");
    let (status, shown) = terminal.ends();
    assert!(status.success(), "{shown}");
    assert!(!shown.contains("typed-unseen"), "{shown}");
    assert_eq!(value_of("stripe"), "typed-unseen");

    for arguments in [
        vec!["secret", "put", "stripe", "in-the-open"],
        vec![
            "secret",
            "put",
            "stripe",
            "--from-file",
            &file,
            "in-the-open",
        ],
        vec!["secret", "put", "stripe", "--", "--in-the-open"],
    ] {
        let said = olivia.refused(&arguments);
        assert!(
            said.contains("does not stand on the command line"),
            "{said}"
        );
        assert!(!said.contains("in-the-open"), "{said}");
    }
    assert_eq!(value_of("stripe"), "typed-unseen");
}

#[tokio::test]
async fn a_secret_lives_from_its_first_version_to_its_restoration() {
    let house = house().await;
    let olivia = Person::with_account(house.control(), "olivia@example.com", "Olivia");
    for value in ["one", "two"] {
        olivia.done_fed(&["secret", "put", "billing/stripe"], value);
    }
    olivia.done_fed(&["secret", "put", "billing/other"], "x");
    let put = ["secret", "put", "billing/stripe", "--current", "1"];
    let said = refusal(&put, olivia.run_fed(&put, "three"));
    assert!(said.contains("(409 ") || said.contains("(412 "), "{said}");
    let new = ["secret", "put", "billing/stripe", "--current", "0"];
    refusal(&new, olivia.run_fed(&new, "three"));

    let history = olivia.json(&["secret", "history", "billing/stripe"]);
    let numbers: Vec<_> = history.iter().map(|one| one["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
    let get = ["secret", "get", "billing/stripe"];
    assert_eq!(
        olivia.done(&[&get[..], &["--version", "1"]].concat()),
        "one"
    );
    olivia.done(&["secret", "rollback", "billing/stripe", "1"]);
    assert_eq!(olivia.done(&get), "one");
    let whole = &olivia.json(&get)[0];
    assert_eq!(
        (&whole["version"]["number"], &whole["value"]["text"]),
        (&3.into(), &"one".into())
    );

    let listed = olivia.json(&["secret", "list", "--prefix", "billing/"]);
    assert_eq!(listed.len(), 2);
    assert!(!olivia.done(&["secret", "list"]).contains("one"));
    let shown = &olivia.json(&["secret", "show", "billing/stripe"])[0];
    assert_eq!(shown["current_version"], 3);

    olivia.refused(&["secret", "delete", "billing/stripe"]);
    assert_eq!(olivia.done(&get), "one");
    olivia.done(&[
        "secret",
        "delete",
        "billing/stripe",
        "--recovery-days",
        "7",
        "--yes",
    ]);
    olivia.refused(&get);
    assert_eq!(
        olivia.json(&["secret", "list", "--state", "deleted"]).len(),
        1
    );
    olivia.done(&["secret", "restore", "billing/stripe"]);
    assert_eq!(olivia.done(&get), "one");
    let destroy = ["secret", "destroy-versions", "billing/stripe", "2", "--yes"];
    olivia.done(&destroy);
    olivia.refused(&[&get[..], &["--version", "2"]].concat());

    // A link shows it once, to whoever has the token and nothing else.
    let share = &olivia.json(&["secret", "share", "billing/stripe"])[0];
    let token = text(share, "token");
    let url = format!("http://{}", house.control());
    let open = ["secret", "open-share", "--url", &url, "--share-file", "-"];
    assert_eq!(Person::new().done_fed(&open, &token), "one");
    refusal(&open, Person::new().run_fed(&open, &token));
    let shares = olivia.json(&["secret", "shares", "billing/stripe"]);
    assert_eq!((shares.len(), &shares[0]["is_opened"]), (1, &true.into()));
    let share = &olivia.json(&["secret", "share", "billing/stripe"])[0];
    olivia.done(&[
        "secret",
        "revoke-share",
        "billing/stripe",
        &text(share, "id"),
    ]);
    refusal(&open, Person::new().run_fed(&open, &text(share, "token")));

    olivia.done(&["secret", "delete", "billing/other", "--at-once", "--yes"]);
    assert_eq!(olivia.json(&["secret", "list", "--state", "any"]).len(), 1);
}

#[tokio::test]
async fn a_program_runs_with_secrets_in_its_environment_and_nothing_else_of_ours() {
    let house = house().await;
    let olivia = Person::with_account(house.control(), "olivia@example.com", "Olivia");
    olivia.done_fed(&["secret", "put", "stripe"], "sk live");
    let put = ["secret", "put", "db", "--kind", "basic"];
    olivia.done_fed(&put, r#"{"username": "u", "password": "p=w"}"#);

    let wishes = [
        "--secret",
        "stripe=STRIPE_KEY",
        "--field",
        "db",
        "password=DB_PASSWORD",
    ];
    let script = r#"echo "$1:$STRIPE_KEY:$DB_PASSWORD:${BULKHEAD_TOKEN-none}"; cat; exit 7"#;
    let program = ["--", "sh", "-c", script, "sh", "argument"];
    let arguments = [&["run"][..], &wishes, &program].concat();
    let token = olivia.file("token", &stored_token(&olivia));
    let by_token = Person::new()
        .with("BULKHEAD_URL", &format!("http://{}", house.control()))
        .with("BULKHEAD_TOKEN", &fs::read_to_string(token).unwrap());
    for person in [&olivia, &by_token] {
        let output = person.run_fed(&arguments, "fed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{said}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, "argument:sk live:p=w:none\nfed");
    }

    // A signal ends the program as it would without us.
    let output = olivia.run(&[
        "run",
        "--secret",
        "stripe=KEY",
        "--",
        "sh",
        "-c",
        "kill -9 $$",
    ]);
    assert_eq!(output.status.signal(), Some(9));
    // Without all secrets, or without a program, nothing is started.
    let missing = [
        "run", "--secret", "stripe=A", "--secret", "none=B", "--", "touch", "started",
    ];
    let said = olivia.refused(&missing);
    assert!(said.contains("none: "), "{said}");
    assert!(!olivia.profiles().with_file_name("started").exists());
    let output = olivia.run(&["run", "--secret", "stripe=KEY", "--", "no-such-program"]);
    assert_eq!(output.status.code(), Some(127));
    // Each revelation is in the log.
    let filter = ["--resource", "secret:stripe", "--decision", "allowed"];
    let events = olivia.json(&[&["activity", "list"][..], &filter].concat());
    let is_revelation = |event: &&Value| event["operation"] == "RevealSecret";
    assert!(
        events.iter().filter(is_revelation).count() >= 4,
        "{events:#?}"
    );
}

#[tokio::test]
async fn files_of_secrets_are_imported() {
    let house = house().await;
    let olivia = Person::with_account(house.control(), "olivia@example.com", "Olivia");
    let value_of = |path: &str| olivia.done(&["secret", "get", path]);
    let env = "# ours\nexport STRIPE_KEY='sk $live'\nEMPTY=x\nPEM=\"a\nb\"\n";
    let file = olivia.file(".env", env);
    let dry = olivia.json(&["secret", "import", &file, "--prefix", "prod/", "--dry-run"]);
    assert_eq!(dry.len(), 3);
    assert_eq!(olivia.json(&["secret", "list"]).len(), 0);
    let written = olivia.json(&["secret", "import", &file, "--prefix", "prod/"]);
    assert_eq!(written.len(), 3);
    assert_eq!(value_of("prod/STRIPE_KEY"), "sk $live");
    assert_eq!(value_of("prod/PEM"), "a\nb");

    let json = r#"{"token": "t", "database": {"user": "u", "password": "p"}}"#;
    let file = olivia.file("secrets.json", json);
    olivia.done(&["secret", "import", &file]);
    assert_eq!(value_of("token"), "t");
    let field = ["secret", "get", "database", "--field", "password"];
    assert_eq!(olivia.done(&field), "p");
    olivia.done_fed(
        &["secret", "import", "-", "--format", "json"],
        r#"{"token": "t2"}"#,
    );
    assert_eq!(value_of("token"), "t2");
    assert_eq!(olivia.json(&["secret", "history", "token"]).len(), 2);

    let wrong = olivia.file("wrong.env", "A=1\nB=hunter2$A\n");
    let said = olivia.refused(&["secret", "import", &wrong]);
    assert!(
        said.contains("B: `$`") && !said.contains("hunter2"),
        "{said}"
    );
    assert_eq!(olivia.json(&["secret", "list", "--prefix", "A"]).len(), 0);
}

#[test]
fn shells_complete_every_command_and_option() {
    let somebody = Person::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = somebody.done(&["completions", shell]);
        each(&Cli::command(), &mut |name| {
            assert!(script.contains(name), "{shell}: {name}");
        });
    }
}

/// Every name of a command and of an option.
fn each(command: &Command, visit: &mut impl FnMut(&str)) {
    for option in command.get_arguments().filter_map(clap::Arg::get_long) {
        visit(option);
    }
    for command in command.get_subcommands() {
        visit(command.get_name());
        each(command, visit);
    }
}

fn stored_token(person: &Person) -> String {
    let stored = fs::read_to_string(person.profiles()).expect("profiles");
    let stored: toml::Table = stored.parse().expect("TOML");
    let token = &stored["profiles"]["default"]["token"];
    token.as_str().expect("a token").to_owned()
}

fn text(value: &Value, name: &str) -> String {
    let text = value[name].as_str();
    text.unwrap_or_else(|| panic!("{name}: {value}")).to_owned()
}

/// The address of a port that nobody listens at.
fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}
