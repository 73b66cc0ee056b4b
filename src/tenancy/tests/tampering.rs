//! Whoever can write the database, but holds no key.

use rusqlite::Connection;

use super::super::*;
use super::house::*;
use crate::authz::{ReadPeople, Role, SubjectKind};

fn quoted(bytes: &[u8]) -> String {
    format!("x'{}'", hex::encode(bytes))
}

#[tokio::test]
async fn rows_that_somebody_edited_decide_nothing() {
    let house = House::new().await;
    let (ada, eve) = (house.person("ada").await, house.person("eve").await);
    let bob = house.joined(&ada, "bob", Role::Viewer).await;
    let mallory = house.joined(&eve, "mallory", Role::Owner).await;
    let agent = house.agent(&ada, "helper").await;
    let team = house
        .all::<crate::authz::ManagePeople>(&ada.caller, SubjectKind::Team)
        .await;
    let team = house
        .tenancy()
        .create_team(team, &label("crew"))
        .await
        .unwrap();
    let seat = house
        .one::<crate::authz::ManagePeople>(&ada.caller, SubjectKind::Team, team.id)
        .await;
    house.tenancy().add_to_team(seat, agent.id).await.unwrap();
    for subject in [
        GrantSubject::Member(bob.principal()),
        GrantSubject::Agent(agent.id),
        GrantSubject::Team(team.id),
    ] {
        let granted = GrantTerms {
            expires_ms: Some(house.world.clock.now_ms() + 1_000_000),
            ..terms(subject, "vault:use", "secret:a")
        };
        house.grant(&ada, granted).await.unwrap();
    }
    let org = quoted(ada.caller.org().bytes());
    let evil = quoted(eve.caller.org().bytes());
    let (bob_id, mallory_id) = (
        quoted(bob.principal().bytes()),
        quoted(mallory.principal().bytes()),
    );
    let (agent_id, team_id) = (quoted(agent.id.bytes()), quoted(team.id.bytes()));
    let bobs = format!("org_id = {org} AND kind = 17 AND id = {bob_id}");
    let grant_of = |parent: &str| format!("org_id = {org} AND kind = 22 AND parent = {parent}");
    let agents = caller(ada.caller.org(), agent.id);
    let database = Connection::open(house.place.catalog_path()).unwrap();
    database
        .execute_batch(
            "ATTACH ':memory:' AS kept;
             CREATE TABLE kept.records AS SELECT * FROM records",
        )
        .unwrap();
    let attacks = [
        // A higher role, alone and with another owner's seal and MAC.
        (&bob.caller, format!("UPDATE records SET state = 1 WHERE {bobs}")),
        (&bob.caller, format!("UPDATE records SET state = 1, sequence = sequence + 1 WHERE {bobs}")),
        (
            &bob.caller,
            format!(
                "UPDATE records SET (state, sealed, mac, sequence) = (SELECT state, sealed, mac, sequence
                 FROM records WHERE org_id = {evil} AND kind = 17 AND id = {mallory_id}) WHERE {bobs}"
            ),
        ),
        // A member of one organization becomes one of another.
        (
            &bob.caller,
            format!(
                "DELETE FROM records WHERE {bobs};
                 UPDATE records SET org_id = {org}, id = {bob_id}
                 WHERE org_id = {evil} AND kind = 17 AND id = {mallory_id}"
            ),
        ),
        // An agent becomes a member.
        (
            &agents,
            format!("UPDATE records SET kind = 17 WHERE org_id = {org} AND kind = 21 AND id = {agent_id}"),
        ),
        // A grant that is for somebody else, wider, longer, or another's.
        (&bob.caller, format!("UPDATE records SET parent = {bob_id} WHERE {}", grant_of(&agent_id))),
        (&bob.caller, format!("UPDATE records SET expires_ms = NULL WHERE {}", grant_of(&bob_id))),
        (
            &bob.caller,
            format!(
                "UPDATE records SET sealed = (SELECT sealed FROM records WHERE {}) WHERE {}",
                grant_of(&agent_id),
                grant_of(&bob_id)
            ),
        ),
        (&agents, format!("UPDATE records SET state = 2, parent = {agent_id} WHERE {}", grant_of(&team_id))),
        (
            &agents,
            format!("UPDATE records SET sealed = zeroblob(length(sealed)) WHERE {}", grant_of(&agent_id)),
        ),
        // A seat that is somebody else's.
        (
            &bob.caller,
            format!("UPDATE records SET parent = {bob_id} WHERE org_id = {org} AND kind = 20"),
        ),
        // A team that is another record.
        (
            &agents,
            format!("UPDATE records SET state = 9 WHERE org_id = {org} AND kind = 19"),
        ),
    ];
    for (whom, attack) in &attacks {
        let sound = house.place.start().await;
        sound.tenancy.rights(whom).await.unwrap();
        database.execute_batch(attack).unwrap();
        let fresh = house.place.start().await;
        let rights = fresh.tenancy.rights(whom).await;
        assert!(
            matches!(rights, Err(TenancyError::Damaged(_))),
            "{attack}: {rights:?}"
        );
        database
            .execute_batch(
                "DELETE FROM main.records;
                 INSERT INTO main.records SELECT * FROM kept.records",
            )
            .unwrap();
    }
    // A raised role raises nobody in a list, and leads into no session.
    database
        .execute_batch(&format!("UPDATE records SET state = 1 WHERE {bobs}"))
        .unwrap();
    let fresh = house.place.start().await;
    let permit = house
        .all::<ReadPeople>(&ada.caller, SubjectKind::Member)
        .await;
    let members = fresh.tenancy.members(permit, None, 9).await;
    assert!(matches!(members, Err(TenancyError::Damaged(_))));
    let switched = fresh.tenancy.switch(&bob.signed_in, ada.caller.org()).await;
    assert!(matches!(switched.err(), Some(TenancyError::Damaged(_))));
}

#[tokio::test]
async fn an_edited_account_or_identity_lets_nobody_in() {
    let house = House::new().await;
    let (ada, eve) = (house.person("ada").await, house.person("eve").await);
    let identity =
        crate::authz::Identity::verified("https://login.example".to_owned(), "eve".to_owned());
    house
        .tenancy()
        .link_identity(&eve.signed_in, &identity)
        .await
        .unwrap();
    let (ada_id, eve_id) = (quoted(ada.account.bytes()), quoted(eve.account.bytes()));
    let database = Connection::open(house.place.catalog_path()).unwrap();
    for (attack, by_identity) in [
        // Eve's password under Ada's address.
        (
            format!(
                "UPDATE records SET sealed = (SELECT sealed FROM records WHERE kind = 1 AND id = {eve_id})
                 WHERE kind = 1 AND id = {ada_id}"
            ),
            false,
        ),
        // Eve's account under Ada's address.
        (
            format!(
                "CREATE TEMP TABLE was AS SELECT lookup FROM records WHERE kind = 1 AND id = {ada_id};
                 DELETE FROM records WHERE kind = 1 AND id = {ada_id};
                 UPDATE records SET lookup = (SELECT lookup FROM was) WHERE kind = 1 AND id = {eve_id};
                 DROP TABLE was"
            ),
            false,
        ),
        // Eve's identity leads to Ada's account.
        (format!("UPDATE records SET parent = {ada_id} WHERE kind = 2"), true),
    ] {
        let transaction = database.unchecked_transaction().unwrap();
        transaction
            .execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM records")
            .unwrap();
        transaction.execute_batch(&attack).unwrap();
        transaction.commit().unwrap();
        let fresh = house.place.start().await;
        let answer = if by_identity {
            fresh.tenancy.log_in_by_identity(&identity).await
        } else {
            let password = Password::present(PASSWORD.to_owned().into());
            fresh.tenancy.log_in(&ada.email, password, None).await
        };
        let error = answer.err();
        assert!(matches!(error, Some(TenancyError::Damaged(_))), "{attack}: {error:?}");
        database
            .execute_batch(
                "DELETE FROM records; INSERT INTO records SELECT * FROM kept; DROP TABLE kept",
            )
            .unwrap();
        assert!(house.log_in(&ada.email, PASSWORD).await.is_ok());
    }
}
