use std::sync::Arc;
use std::time::Duration;

use names::{AccountId, NodeId, OrgId, PartNumber, SecretPath};
use zeroize::Zeroizing;

use super::crash_after;
use super::destroy::assert_gone;
use super::world::{House, Process, TRASH_DELAY, caller, operator};
use crate::audit::Audit;
use crate::authz::{
    DeleteOrganization, DeleteSecret, InOrganization, OfSecret, Permit, PutSecret, Rights, Role,
    Standing, Subject, authorize,
};
use crate::catalog::{Mutation, OrgState, RecordKind, RecordQuery, RecordWrite};
use crate::config;
use crate::entropy::Entropy;
use crate::keyring::RecordDraft;
use crate::ops::lock::Lock;
use crate::ops::{AbandonedUploadSettings, Expired, Expirer, LogVerifier, OpsError};
use crate::tenancy::Transition;
use crate::vault::{
    Check, Deletion, Kind, NewSecret, NewValue, Recovery, Settings, Tags, Value, Vault, VaultError,
};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn records_go_at_their_end_and_not_before() {
    let house = House::new();
    let process = house.start().await;
    let (acme, other) = (
        process.tenant("acme").await.org,
        process.tenant("other").await.org,
    );
    for org in [acme, other] {
        for kind in [
            RecordKind::Invitation,
            RecordKind::Grant,
            RecordKind::Idempotency,
            RecordKind::ShareLink,
            // Credit that has ended is counted on.
            RecordKind::Ledger,
        ] {
            for (id, end) in [(1, Some(DAY)), (2, Some(2 * DAY)), (3, None)] {
                keep(&process, org, kind, [id; 16], end).await;
            }
        }
    }
    let expirer = expirer(&process);
    assert_eq!(expirer.round().await.unwrap(), Expired::default());
    process.hand.advance(DAY);
    assert_eq!(expirer.round().await.unwrap().records, 8);
    for org in [acme, other] {
        assert_eq!(
            left(&process, org, RecordKind::Grant).await,
            [[2; 16], [3; 16]]
        );
        assert_eq!(left(&process, org, RecordKind::Ledger).await.len(), 3);
    }
    assert_eq!(expirer.round().await.unwrap(), Expired::default());
}

#[tokio::test]
async fn a_secret_goes_when_its_recovery_window_has_ended_unless_it_was_restored() {
    let house = House::new();
    let process = house.start().await;
    let org = process.tenant("acme").await.org;
    let vault = vault(&process);
    for path in ["gone", "restored", "kept"] {
        vault
            .create(may::<PutSecret>(org, path), secret())
            .await
            .unwrap();
    }
    let window = Deletion::Scheduled(Recovery::days(7).unwrap());
    for path in ["gone", "restored"] {
        vault
            .delete(may::<DeleteSecret>(org, path), window)
            .await
            .unwrap();
    }
    vault
        .restore(may::<PutSecret>(org, "restored"))
        .await
        .unwrap();
    let values = left(&process, org, RecordKind::SecretVersion).await.len();
    let expirer = expirer(&process);
    process.hand.advance(7 * DAY - Duration::from_secs(1));
    assert_eq!(expirer.round().await.unwrap().secrets, 0);
    process.hand.advance(Duration::from_secs(1));
    assert_eq!(expirer.round().await.unwrap().secrets, 1);
    let again = vault.restore(may::<PutSecret>(org, "gone")).await;
    assert!(matches!(again, Err(VaultError::NoSuchSecret)), "{again:?}");
    assert_eq!(
        left(&process, org, RecordKind::SecretVersion).await.len(),
        values - 1
    );
    assert_eq!(expirer.round().await.unwrap(), Expired::default());
}

#[tokio::test(start_paused = true)]
async fn an_organization_is_destroyed_when_its_grace_period_has_ended_unless_it_was_restored() {
    let house = House::new();
    let process = house.start().await;
    let (acme, other) = (
        process.tenant("acme").await.org,
        process.tenant("other").await.org,
    );
    for org in [acme, other] {
        let asked = process.tenancy.ask_deletion(may_delete(org), Some(DAY));
        asked.await.unwrap();
    }
    let expirer = expirer(&process);
    process.hand.advance(DAY - Duration::from_secs(1));
    assert_eq!(expirer.round().await.unwrap().organizations, 0);
    process.tenancy.restore(may_delete(other)).await.unwrap();
    process.hand.advance(Duration::from_secs(1));
    // Restored, but by a row that is older than what the list was made from.
    let destroyer = process.destroyer();
    let spared = destroyer.destroy_due(&operator(), other).await.unwrap();
    assert_eq!(spared, None);
    assert_eq!(expirer.round().await.unwrap().organizations, 1);
    let state = async |org| {
        let row = process.platform.organization(org).await.unwrap().unwrap();
        row.unverified().state
    };
    assert_eq!(state(acme).await, OrgState::Destroyed);
    assert_eq!(state(other).await, OrgState::Active);
    assert_eq!(expirer.round().await.unwrap(), Expired::default());
}

#[tokio::test(start_paused = true)]
async fn a_destruction_that_was_cut_anywhere_is_brought_to_its_end() {
    let house = House::new();
    let tenant = house.start().await.tenant("acme").await;
    let org = tenant.org;
    let (mut cut, mut whole) = (0, 0);
    for steps in 0.. {
        let house = house.copy();
        let process = house.start().await;
        let ended = crash_after(steps, process.destroyer().destroy(&operator(), org)).await;
        drop(process);
        let process = house.start().await;
        let found = async || {
            let row = process.platform.organization(org).await.unwrap().unwrap();
            let row = row.unverified();
            (row.state, row.delete_after_ms)
        };
        let before = found().await;
        let expirer = expirer(&process);
        let expired = expirer.round().await.unwrap();
        match before {
            // Nobody's intention is made up.
            (OrgState::Active, None) => assert_eq!(expired, Expired::default()),
            (OrgState::Destroyed, Some(_)) => {
                assert_eq!(expired.organizations, 1, "after {steps} steps");
                cut += 1;
            }
            // What came to its end is not gone over again.
            (OrgState::Destroyed, None) => {
                assert_eq!(expired, Expired::default(), "after {steps} steps");
                whole += 1;
            }
            other => panic!("after {steps} steps: {other:?}"),
        }
        if before.0 == OrgState::Destroyed {
            assert_eq!(found().await, (OrgState::Destroyed, None));
            assert_gone(&house, &process, &tenant).await;
            assert_eq!(process.findings().await, [""; 0], "after {steps} steps");
        }
        assert_eq!(expirer.round().await.unwrap(), Expired::default());
        if ended.is_some() {
            break;
        }
    }
    assert!(cut > 3 && whole > 0, "{cut} were cut, {whole} were not");
}

#[tokio::test(start_paused = true)]
async fn what_would_not_go_is_tried_again_and_certified_when_it_does() {
    use crate::blobs::Fault;
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let asked = process
        .tenancy
        .ask_deletion(may_delete(tenant.org), Some(DAY));
    asked.await.unwrap();
    process.hand.advance(DAY);
    let expirer = expirer(&process);
    process.blobs.fail_writes_after(1, Fault::Unavailable);
    assert_eq!(expirer.round().await.unwrap().organizations, 1);
    for _ in 0..2 {
        assert_eq!(expirer.round().await.unwrap(), Expired::default());
        assert!(!process.stored(tenant.org).await.is_empty());
    }
    process.blobs.heal();
    assert_eq!(expirer.round().await.unwrap().organizations, 1);
    assert_gone(&house, &process, &tenant).await;
    assert_eq!(expirer.round().await.unwrap(), Expired::default());
}

#[tokio::test]
async fn one_process_at_a_time_ends_what_has_run_out() {
    let house = House::new();
    let process = house.start().await;
    let org = process.tenant("acme").await.org;
    keep(&process, org, RecordKind::Grant, [1; 16], Some(DAY)).await;
    process.hand.advance(DAY);
    let other = NodeId::from_bytes([7; 16]);
    let lock = process.jobs.lease("expire", other, 30).await.unwrap();
    assert!(lock.is_some());
    let expirer = expirer(&process);
    assert_eq!(expirer.round().await.unwrap(), Expired::default());
    process.jobs.release("expire", other).await.unwrap();
    assert_eq!(expirer.round().await.unwrap().records, 1);
}

#[tokio::test]
async fn uploads_that_nobody_goes_on_with_are_given_up() {
    let house = House::new();
    let process = house.start().await;
    let org = process.tenant("acme").await.org;
    let other = process.tenant("other").await.org;
    let (begun, _) = process.begin_upload(org, "begun", &[]).await;
    let stored = async |org| process.platform.stored(org).await.unwrap();
    let before = stored(org).await;
    let blobs = process.stored(org).await.len();
    let week = 7 * DAY;
    let expirer = |age| {
        let settings = AbandonedUploadSettings {
            age,
            trash_delay: TRASH_DELAY,
        };
        expirer(&process).giving_up_uploads(Arc::clone(&process.keyring), settings)
    };
    let (of_week, never) = (expirer(week), expirer(Duration::ZERO));
    process.hand.advance(week);
    assert_eq!(of_week.round().await.unwrap(), Expired::default());
    // One that is young, and one that is old and has just got a part.
    let (young, _) = process.begin_upload(other, "young", &[10]).await;
    let number = PartNumber::new(1).unwrap();
    process.add_part(org, "begun", begun, number, b"part").await;
    process.hand.advance(Duration::from_millis(1));
    assert_eq!(never.round().await.unwrap(), Expired::default());
    let events = async || {
        let logs = LogVerifier::new(
            process.verifier(),
            process.catalog.clone(),
            process.platform.clone(),
            Arc::clone(&process.keyring),
        );
        logs.verify(&operator(), org).await.unwrap().events
    };
    let told = events().await;
    let expired = of_week.round().await.unwrap();
    assert_eq!(expired.uploads, 2, "what each tenant has begun and left");
    assert_eq!(events().await, told + 1);
    assert_eq!(of_week.round().await.unwrap(), Expired::default());
    let after = stored(org).await;
    let gone = (5 << 20) + 10;
    assert_eq!(after.bytes, before.bytes + 4 - gone);
    assert_eq!(process.findings().await, [""; 0]);

    // Its blobs are collected when their readers have had their time.
    assert_eq!(process.collector().collect().await.unwrap().blobs, 0);
    process.hand.advance(TRASH_DELAY);
    assert!(process.collector().collect().await.unwrap().blobs > 0);
    assert!(process.stored(org).await.len() <= blobs);
    // Who has gone on with theirs loses nothing.
    let etag = process
        .add_part(org, "begun", begun, number, b"again")
        .await;
    let parts = [(number, etag, b"again".to_vec())];
    process.complete(org, "begun", begun, &parts).await;
    assert_eq!(process.get(org, "begun").await.unwrap(), b"again");

    process.hand.advance(week);
    assert_eq!(of_week.round().await.unwrap().uploads, 1, "{young}");
    assert_eq!(process.findings().await, [""; 0]);
}

#[tokio::test]
async fn uploads_wait_where_nobody_can_go_on_with_them() {
    let house = House::new();
    let process = house.start().await;
    let org = process.tenant("acme").await.org;
    let settings = AbandonedUploadSettings {
        age: DAY,
        trash_delay: TRASH_DELAY,
    };
    let keyring = Arc::clone(&process.keyring);
    let expirer = expirer(&process).giving_up_uploads(keyring, settings);
    process.hand.advance(2 * DAY);
    for (freeze, thaw) in [
        (Transition::Suspend, Transition::Resume),
        (Transition::Seal, Transition::Unseal),
    ] {
        let operator = operator();
        let change = |to| process.tenancy.change_state(&operator, org, to);
        change(freeze).await.unwrap();
        assert_eq!(expirer.round().await.unwrap(), Expired::default());
        change(thaw).await.unwrap();
    }
    assert_eq!(expirer.round().await.unwrap().uploads, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_renewed_while_its_work_goes_on() {
    let house = House::new();
    let process = house.start().await;
    let other = NodeId::from_bytes([7; 16]);
    let job = || "a job".to_owned();
    let lock = Lock::take(&process.jobs, job(), process.node, &process.clock);
    let lock = lock.await.unwrap().unwrap();
    let theirs = async || process.jobs.lease("a job", other, 30).await.unwrap();
    let work = async {
        for _ in 0..20 {
            let second = Duration::from_secs(6);
            tokio::time::sleep(second).await;
            process.hand.advance(second);
            assert_eq!(theirs().await, None);
        }
        Ok(())
    };
    lock.renewal().during(work).await.unwrap();
    // Behind a renewal that was under way.
    assert_eq!(theirs().await, None);
    // Lost, as by a process that was put to sleep: what goes on is broken off.
    process.hand.advance(Duration::from_secs(31));
    assert!(theirs().await.is_some());
    let renewal = lock.renewal();
    let lost = renewal.during(std::future::pending::<Result<(), _>>());
    assert!(matches!(lost.await, Err(OpsError::LockLost { .. })));
}

pub(super) fn vault(process: &Process) -> Arc<Vault> {
    Arc::new(Vault::new(
        process.catalog.clone(),
        Arc::clone(&process.keyring),
        process.clock.clone(),
        Entropy::system(),
    ))
}

pub(super) fn expirer(process: &Process) -> Expirer {
    // A log of its own: that of the process has begun its chains.
    let node = Entropy::system().uuid_v7(process.clock.now_ms());
    let audit = Audit::new(
        NodeId::from_bytes(node),
        process.catalog.clone(),
        process.platform.clone(),
        Arc::clone(&process.keyring),
        &config::Audit::default(),
        process.clock.clone(),
    );
    Expirer::new(
        process.jobs.clone(),
        process.destroyer(),
        vault(process),
        Arc::new(audit),
        operator(),
        process.node,
        process.clock.clone(),
    )
}

async fn keep(
    process: &Process,
    org: OrgId,
    kind: RecordKind,
    id: [u8; 16],
    end: Option<Duration>,
) {
    let job = process.job(org);
    let keys = process.keyring.open_for_job(&job).await.unwrap();
    let now_ms = process.clock.now_ms();
    let draft = RecordDraft {
        kind,
        id,
        parent: None,
        lookup: None,
        state: 1,
        created_ms: now_ms,
        expires_ms: end.map(|end| now_ms + u64::try_from(end.as_millis()).unwrap()),
        sequence: 1,
    };
    let writes = vec![RecordWrite::Insert(keys.seal_row(draft, b"x").unwrap())];
    let guards = Vec::new();
    job.commit(Mutation::CommitRecords { writes, guards })
        .await
        .unwrap();
}

async fn left(process: &Process, org: OrgId, kind: RecordKind) -> Vec<[u8; 16]> {
    let query = RecordQuery {
        max: 100,
        ..RecordQuery::default()
    };
    let rows = process.job(org).records(kind, query).await.unwrap();
    rows.iter().map(|row| row.unverified().id).collect()
}

pub(super) fn may<A: crate::authz::Action<Resource = OfSecret>>(
    org: OrgId,
    path: &str,
) -> Permit<A> {
    let path = SecretPath::parse(path).unwrap();
    let secret = OfSecret::at(path);
    authorize(
        &caller(org),
        &Rights::ORGANIZATION,
        Standing::Active,
        secret,
    )
    .unwrap()
}

/// What only an owner may.
fn may_delete(org: OrgId) -> Permit<DeleteOrganization> {
    let rights = Rights {
        subject: Subject::Member {
            account: AccountId::from_bytes([1; 16]),
            role: Role::Owner,
        },
        grants: Vec::new(),
    };
    authorize(&caller(org), &rights, Standing::Deleting, InOrganization).unwrap()
}

pub(super) fn secret() -> NewSecret {
    NewSecret {
        kind: Kind::Opaque,
        description: String::new(),
        tags: Tags::new(),
        settings: Settings::default(),
        value: Some(NewValue {
            value: Value::Text(Zeroizing::new("value".to_owned())),
            token: None,
            stages: Vec::new(),
            check: Check::Any,
            versions_max: 10,
        }),
    }
}
