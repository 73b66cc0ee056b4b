use std::sync::Arc;
use std::time::Duration;

use names::OrgId;

use super::crash_after;
use super::expire::{may, secret, vault};
use super::files::pattern;
use super::tenant::Tenant;
use super::thief::Thief;
use super::world::{House, Process, TRASH_DELAY, operator};
use crate::authz::{PutSecret, RevealSecret, ShareSecret, Standing, open_share};
use crate::catalog::KeyState;
use crate::ops::{LogVerifier, OpsError, Rotated, SealedAnew};
use crate::vault::{FoundShare, Lifetime, Selector, ShareToken};
use crate::{blobs, catalog};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_old_key_opens_nothing_after_a_re_encryption() {
    let house = House::new();
    let process = house.start().await;
    let (tenant, other) = (process.tenant("acme").await, process.tenant("other").await);
    let org = tenant.org;
    let thief = Thief::of(&house, &process, org).await;
    let before = thief.try_all(&house, &process).await;
    assert_eq!(
        before.opened.len(),
        before.tried,
        "with the key everything opens: {before:?}"
    );
    let traces = traces(&house, org);
    assert!(traces.len() > 30);
    assert!(traces.iter().all(|trace| house.catalog_holds(trace)));
    let stored = process.stored(org).await;
    let seen = process.seen(&tenant).await;

    let rotated = process
        .rotation()
        .reencrypt(&operator(), org)
        .await
        .unwrap();
    assert_eq!((rotated.version, rotated.resumed), (2, false));
    assert_eq!((&rotated.deleted[..], rotated.rewrapped), (&[1][..], 0));
    assert_eq!(rotated.damaged, [""; 0]);
    assert_eq!(rotated.scrub_failed, None);
    let joined = (5 << 20) + 70_000;
    let sealed_anew = SealedAnew {
        objects: 5,
        parts: 2,
        // What `copied` shares with `large` is sealed once.
        bytes: 11 + 200_000 + 3 + joined + (5 << 20) + 10,
        // Five records, a bucket, an upload, a segment of the log, the name key, and five blobs
        // whose readers have their time still.
        rows: 5 + 1 + 1 + 1 + 1 + 5,
    };
    assert_eq!(rotated.sealed_anew, Some(sealed_anew));
    assert_eq!(process.seen(&tenant).await, seen, "what a client sees");
    assert_eq!(process.findings().await, [""; 0]);

    process.empty_trash().await;
    process.jobs.scrub().await.unwrap();
    let after = thief.try_all(&house, &process).await;
    assert_eq!(after.opened, [""; 0]);
    assert!(after.tried > before.tried / 2);
    for trace in &traces {
        assert!(!house.catalog_holds(trace), "{}", hex::encode(trace));
    }
    let now = process.stored(org).await;
    assert_eq!(now.len(), stored.len(), "copies share their bytes still");
    let is_old = |entry: &blobs::BlobEntry| stored.iter().any(|old| old.blob == entry.blob);
    assert!(!now.iter().any(is_old));

    assert_eq!(process.findings().await, [""; 0]);
    process.assert_whole(&tenant).await;
    process.assert_whole(&other).await;
    process.record(org, "bulkhead:Test").await;
    let process = house.start().await;
    process.assert_log_whole().await;

    let again = process
        .rotation()
        .reencrypt(&operator(), org)
        .await
        .unwrap();
    assert_eq!((again.version, again.deleted), (3, vec![2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_share_links_open_under_the_new_key() {
    let house = House::new();
    let process = house.start().await;
    let org = process.tenant("acme").await.org;
    let vault = vault(&process);
    let permit = || may::<PutSecret>(org, "a");
    vault.create(permit(), secret()).await.unwrap();
    vault.put(permit(), secret().value.unwrap()).await.unwrap();
    let (share, reveal) = (may::<ShareSecret>(org, "a"), may::<RevealSecret>(org, "a"));
    let share = vault
        .share(share, reveal, &Selector::Number(1), Lifetime::DEFAULT)
        .await
        .unwrap();
    let thief = Thief::of(&house, &process, org).await;

    let rotated = process
        .rotation()
        .reencrypt(&operator(), org)
        .await
        .unwrap();
    assert_eq!(rotated.deleted, [1]);
    process.keyring.forget(org);
    let meant = secret().value.unwrap().value;
    for number in [1, 2] {
        let permit = may::<RevealSecret>(org, "a");
        let revealed = vault.reveal(permit, &Selector::Number(number)).await;
        assert_eq!(revealed.unwrap().value.expose(), meant.expose());
    }
    let token = ShareToken::parse(&share.token).unwrap();
    let holder = vault.link_holder(&token).await.unwrap();
    let permit = open_share(&holder, Standing::Active).unwrap();
    let FoundShare::Ready(ready) = vault.find_share(&permit).await.unwrap() else {
        panic!("it was not opened");
    };
    let opened = vault.open_share(&permit, &token, *ready).await.unwrap();
    assert_eq!(opened.value.expose(), meant.expose());

    process.empty_trash().await;
    assert_eq!(thief.try_all(&house, &process).await.opened, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_key_is_given_up_alike() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let platform = OrgId::PLATFORM;
    let checkpoints = process.checkpoints();
    let heads = process.audit.chain_heads();
    assert!(checkpoints.append(heads).await.unwrap());
    let traces = traces(&house, platform);
    assert!(traces.len() > 2);

    let (rotation, operator) = (process.rotation(), operator());
    let rotated = rotation.reencrypt(&operator, platform).await.unwrap();
    assert_eq!((rotated.version, rotated.deleted), (2, vec![1]));
    let sealed = rotated.sealed_anew.unwrap();
    assert_eq!((sealed.objects, sealed.bytes), (0, 0));
    for trace in &traces {
        assert!(!house.catalog_holds(trace), "{}", hex::encode(trace));
    }
    let process = house.start().await;
    assert_eq!(process.findings().await, [""; 0]);
    process.assert_whole(&tenant).await;
    let keys = process.tenancy.access_keys(&operator, tenant.org, None, 10);
    assert_eq!(keys.await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_encryption_that_ends_anywhere_is_ended_by_the_next() {
    let (house, tenant) = furnished().await;
    let mut resumed = 0;
    for steps in 0.. {
        let house = house.copy();
        let process = house.start().await;
        let thief = Thief::of(&house, &process, tenant.org).await;
        let rotation = process.rotation();
        let ended = crash_after(steps, rotation.reencrypt(&operator(), tenant.org)).await;
        drop((rotation, process));

        let process = house.start().await;
        if ended.is_none() {
            // One that was asked for as a rotation is ended as what it is.
            let rotation = process.rotation();
            let rotated = match steps % 2 {
                0 => rotation.reencrypt(&operator(), tenant.org).await.unwrap(),
                _ if is_condemned(&process, tenant.org).await => {
                    rotation.rotate(&operator(), tenant.org).await.unwrap()
                }
                _ => rotation.reencrypt(&operator(), tenant.org).await.unwrap(),
            };
            assert!(rotated.sealed_anew.is_some());
            resumed += u32::from(rotated.resumed);
        }
        process
            .assert_given_up(&house, &tenant, &thief, &format!("after {steps} steps"))
            .await;
        if let Some(ended) = ended {
            ended.unwrap();
            break;
        }
    }
    assert!(resumed > 10, "no crash was in the middle");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_anywhere_stops_it_and_loses_nothing() {
    let (house, tenant) = furnished().await;
    for fault in [blobs::Fault::Full, blobs::Fault::Unanswered] {
        for steps in 0.. {
            let house = house.copy();
            let process = house.start().await;
            process.blobs.fail_writes_after(steps, fault);
            let what = format!("{fault:?} after {steps} writes to the blob store");
            if process.fails_and_goes_on(&house, &tenant, &what).await {
                break;
            }
        }
    }
    // All that it writes to the catalog, until it scrubs: that is asked for again and again.
    let whole = house.copy();
    let process = whole.start().await;
    let written = || {
        let calls = process.store.calls();
        let count = |method| calls.get(method).copied().unwrap_or(0);
        count("commit") + count("lease")
    };
    let before = written();
    process
        .rotation()
        .reencrypt(&operator(), tenant.org)
        .await
        .unwrap();
    let commits = written() - before;
    assert!(commits > 10);
    for fault in [
        catalog::Fault::Full,
        catalog::Fault::Unavailable,
        catalog::Fault::Unanswered,
    ] {
        for steps in 0..commits {
            let house = house.copy();
            let process = house.start().await;
            process.store.fail_commits_after(steps, fault);
            let what = format!("{fault:?} after {steps} commits");
            let has_failed = !process.fails_and_goes_on(&house, &tenant, &what).await;
            assert!(has_failed, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_go_on_while_everything_is_sealed_anew() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let org = tenant.org;
    for number in 0..40 {
        let key = format!("kept/{number}");
        process.put(org, &key, &pattern(number * 97)).await.unwrap();
        let key = format!("replaced/{number}");
        process.put(org, &key, &pattern(70_000)).await.unwrap();
        let key = format!("deleted/{number}");
        process.put(org, &key, &pattern(3000)).await.unwrap();
    }
    let thief = Thief::of(&house, &process, org).await;
    let rotation = process.rotation();
    let clients = async {
        for number in 0..40 {
            let (from, to) = (format!("kept/{number}"), format!("a copy/{number}"));
            process.copy(org, "large", &to).await.unwrap();
            process
                .copy(org, &to, &format!("z/{number}"))
                .await
                .unwrap();
            let key = format!("replaced/{number}");
            process
                .put(org, &key, &pattern(80_000 + number))
                .await
                .unwrap();
            process
                .delete(org, &format!("deleted/{number}"))
                .await
                .unwrap();
            let read = process.get(org, &from).await.unwrap();
            assert!(read == pattern(number * 97), "{from}");
        }
    };
    let operator = operator();
    let (rotated, ()) = tokio::join!(rotation.reencrypt(&operator, org), clients);
    assert_eq!(rotated.unwrap().deleted, [1]);
    for number in 0..40 {
        for (key, meant) in [
            (format!("kept/{number}"), pattern(number * 97)),
            (format!("replaced/{number}"), pattern(80_000 + number)),
            (format!("a copy/{number}"), pattern(200_000)),
            (format!("z/{number}"), pattern(200_000)),
        ] {
            assert!(process.get(org, &key).await.unwrap() == meant, "{key}");
        }
        assert!(
            process
                .get(org, &format!("deleted/{number}"))
                .await
                .is_err()
        );
    }
    process.empty_trash().await;
    process
        .assert_given_up(&house, &tenant, &thief, "beside clients")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_that_was_cut_another_version_is_made() {
    let (house, tenant) = furnished().await;
    let org = tenant.org;
    let process = house.start().await;
    let thief = Thief::of(&house, &process, org).await;
    // As far as that: a few things are under the second version by a new wrap.
    let rotation = process.rotation();
    let mut steps = 0;
    while process
        .job(org)
        .named_by_key(2, 1)
        .await
        .unwrap()
        .is_empty()
    {
        assert!(
            crash_after(steps, rotation.rotate(&operator(), org))
                .await
                .is_none()
        );
        process.release_rotation(org).await;
        steps += 1;
    }
    let rotated = rotation.reencrypt(&operator(), org).await.unwrap();
    assert_eq!((rotated.version, rotated.resumed), (3, false));
    assert_eq!(rotated.deleted, [1, 2]);
    process.empty_trash().await;
    process
        .assert_given_up(&house, &tenant, &thief, "after a rotation")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_left_and_keeps_the_old_key() {
    let (house, tenant) = furnished().await;
    let org = tenant.org;
    let process = house.start().await;
    let database = house.database();
    let flip = |by: i64| {
        let sql = "UPDATE versions SET size = size + ?1 WHERE key = CAST('replaced' AS BLOB)";
        assert_eq!(database.execute(sql, [by]).unwrap(), 1);
    };
    flip(1);
    // The bytes that `large` and its copy share.
    let shared: [u8; 16] = database
        .query_row("SELECT blob_id FROM blobs WHERE refs = 2", [], |row| {
            row.get(0)
        })
        .unwrap();
    process
        .blobs
        .damage(names::BlobId::from_bytes(shared), 70_000);

    let rotation = process.rotation();
    let rotated = rotation.reencrypt(&operator(), org).await.unwrap();
    assert_eq!(rotated.deleted, [0; 0]);
    let versions = |name: &&String| name.starts_with("versions ");
    assert_eq!(rotated.damaged.iter().filter(versions).count(), 3);
    let sealed = rotated.sealed_anew.unwrap();
    assert_eq!((sealed.objects, sealed.parts), (2, 1), "the rest goes on");
    let job = process.job(org);
    let states = process.keyring.versions(&job).await.unwrap();
    let states: Vec<_> = states.iter().map(|one| (one.version, one.state)).collect();
    assert_eq!(states, [(1, KeyState::Leaked), (2, KeyState::Open)]);
    assert!(process.get(org, "large").await.is_err());

    flip(-1);
    assert!(!process.blobs.heal());
    let rotated = rotation.reencrypt(&operator(), org).await.unwrap();
    assert_eq!((rotated.version, rotated.resumed), (2, true));
    assert_eq!(rotated.deleted, [1]);
    assert_eq!(rotated.sealed_anew.unwrap().objects, 3);
    process.assert_whole(&tenant).await;
}

/// A house in which nobody is, with an organization that has one of everything.
async fn furnished() -> (House, Tenant) {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.light_tenant("acme").await;
    (house, tenant)
}

impl Process {
    /// Runs a re-encryption on a store that is about to fail, and once more when it works again.
    /// Returns whether it met no fault.
    async fn fails_and_goes_on(&self, house: &House, tenant: &Tenant, what: &str) -> bool {
        let thief = Thief::of(house, self, tenant.org).await;
        let outcome = self.rotation().reencrypt(&operator(), tenant.org).await;
        let has_failed = self.store.heal() | self.blobs.heal();
        if !has_failed {
            assert_eq!(outcome.unwrap().deleted, [1], "{what}");
        }
        // A fault of the last steps may have been met for naught.
        self.release_rotation(tenant.org).await;
        if has_failed {
            let rotated: Result<Rotated, OpsError> =
                self.rotation().reencrypt(&operator(), tenant.org).await;
            assert_eq!(rotated.unwrap().damaged, [""; 0], "{what}");
        }
        self.assert_given_up(house, tenant, &thief, what).await;
        !has_failed
    }

    /// The old key opens nothing, and all reads as it was written.
    async fn assert_given_up(&self, house: &House, tenant: &Tenant, thief: &Thief, what: &str) {
        self.empty_trash().await;
        let job = self.job(tenant.org);
        let versions = self.keyring.versions(&job).await.unwrap();
        assert_eq!(versions.len(), 1, "{what}");
        let loot = thief.try_all(house, self).await;
        assert_eq!(loot.opened, [""; 0], "{what}");
        assert_eq!(self.findings().await, [""; 0], "{what}");
        self.assert_whole(tenant).await;
    }

    /// Every chain of the activity logs is unbroken.
    async fn assert_log_whole(&self) {
        let logs = LogVerifier::new(
            self.verifier(),
            self.catalog.clone(),
            self.platform.clone(),
            Arc::clone(&self.keyring),
        );
        let all = logs.verify_all(&operator()).await.unwrap();
        assert!(all.len() > 1);
        assert!(all.iter().all(|report| report.findings.is_empty()));
    }

    /// Lets replaced blobs run out of time, and what a crash left grow old, and deletes both.
    async fn empty_trash(&self) {
        self.hand
            .advance(TRASH_DELAY + Duration::from_secs(48 * 3600));
        let collector = self.collector();
        collector.collect().await.unwrap();
        collector.sweep().await.unwrap();
    }

    /// As if the process that was cut had been another one.
    async fn release_rotation(&self, org: OrgId) {
        let lock = format!("rotate {org}");
        self.jobs.release(&lock, self.node).await.unwrap();
    }
}

async fn is_condemned(process: &Process, org: OrgId) -> bool {
    let versions = process.keyring.versions(&process.job(org)).await.unwrap();
    versions.iter().any(|one| one.state == KeyState::Leaked)
}

/// What stands in the catalog that is of no use without the key, and must be gone with it: wrapped
/// data keys, commitments, names of blobs, sealed ETags.
fn traces(house: &House, org: OrgId) -> Vec<Vec<u8>> {
    let database = house.database();
    let mut traces = Vec::new();
    for sql in [
        "SELECT substr(sealed, 113, 48) FROM records WHERE org_id = ?1",
        "SELECT substr(sealed, 161, 32) FROM records WHERE org_id = ?1",
        "SELECT substr(metadata, 113, 48) FROM contents WHERE org_id = ?1",
        "SELECT substr(body, 113, 80) FROM contents WHERE org_id = ?1 AND body IS NOT NULL",
        "SELECT slices FROM contents WHERE org_id = ?1 AND slices IS NOT NULL",
        "SELECT blob_id FROM blobs WHERE org_id = ?1",
        "SELECT substr(header, 113, 48) FROM blobs WHERE org_id = ?1",
        "SELECT substr(header, 161, 32) FROM blobs WHERE org_id = ?1",
        "SELECT substr(metadata, 113, 80) FROM uploads WHERE org_id = ?1",
        "SELECT substr(metadata, 113, 80) FROM upload_parts WHERE org_id = ?1",
        "SELECT substr(sealed, 113, 80) FROM audit_segments WHERE org_id = ?1",
        "SELECT substr(sealed, 113, 80) FROM name_keys WHERE org_id = ?1",
        "SELECT etag FROM versions WHERE org_id = ?1",
        "SELECT wrapped FROM org_keys WHERE org_id = ?1",
        "SELECT substr(sealed, 113, 80) FROM credentials WHERE ?1 = CAST(zeroblob(16) AS BLOB)",
    ] {
        let mut found = database.prepare(sql).unwrap();
        let rows = found.query_map([org.bytes()], |row| row.get(0)).unwrap();
        traces.extend(rows.map(Result::unwrap));
    }
    traces
}
