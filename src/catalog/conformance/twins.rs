//! Two organizations that are alike in every name that is not one for all: identifiers, keys,
//! blobs, sequences. Whatever is done in the one is neither felt nor seen in the other.

use std::collections::BTreeSet;

use names::OrgId;

use super::life::Life;
use super::logs::tag_of;
use super::world::{World, commit, tagged};
use crate::catalog::{
    Conflict, CredentialQuery, Effect, ListEntry, ListQuery, Meter, Mutation, RecordKind,
    RecordQuery, RecordWrite, Rewrap, Store, UploadRow, UsageSubjectKind,
};
use crate::entropy::Entropy;

/// Each step of a life is taken in the one, then in the other. The same comes of it, in between
/// the other is as it was, and the log of changes has told of every row that there is. With a row
/// of the other, or under a key that is not there, no step is taken.
pub(in crate::catalog) async fn twins_do_not_meet(store: &dyn Store) {
    let (seq, _) = store.last_change().await.expect("the last change");
    let (one, other) = (Twin::new(store, 671), Twin::new(store, 672));
    for twin in [&one, &other] {
        let member = tagged(twin.life().member, 1);
        let created = twin.world().create(vec![member]).await;
        assert_eq!(created, Ok(Effect::Done));
    }
    let steps = |twin: &Twin<'_>| twin.life().steps(|key| key).into_iter();
    let unknown = one.life().steps(|_| NO_KEY);
    let right = steps(&one).zip(steps(&other));
    let wrong = steps(&other).zip(unknown);
    let mut conflicts = Vec::new();
    for ((step, same), (foreign, unknown)) in right.zip(wrong) {
        let what = format!("{step:?}");
        let holds = Holds::of(&step);
        let (one_before, other_before) = (one.seen().await, other.seen().await);
        if holds.row {
            let refused = commit(store, one.org, foreign).await;
            assert_eq!(refused, Err(Conflict::Missing), "a row of another: {what}");
        }
        let mut closed = None;
        if holds.key {
            closed = Some(commit(store, one.org, unknown).await);
        }
        assert_alike(&one.seen().await, &one_before, &format!("refused: {what}"));

        let outcome = commit(store, one.org, step).await;
        match closed {
            Some(closed) if outcome.is_ok() => {
                let expected = Err(Conflict::KeyClosed { version: NO_KEY });
                assert_eq!(closed, expected, "under no key: {what}");
            }
            Some(closed) => assert!(closed.is_err(), "under no key: {what}"),
            None => {}
        }
        let other_now = other.seen().await;
        assert_alike(&other_now, &other_before, &format!("in the other: {what}"));
        let one_after = one.seen().await;
        assert_eq!(commit(store, other.org, same).await, outcome, "{what}");
        assert_alike(
            &one.seen().await,
            &one_after,
            &format!("in the one: {what}"),
        );
        let (looks, same) = (one.looks(&one_after), other.looks(&other.seen().await));
        assert_alike(&looks, &same, &what);
        for twin in [&one, &other] {
            let told = twin.told_since(seq).await;
            assert_eq!(told, twin.tags().await, "told and true: {what}");
        }
        conflicts.extend(outcome.err());
    }
    assert_eq!(
        one.tags().await.len(),
        1,
        "the organization's own row is left"
    );
    let blobs = one.life().blobs;
    assert_eq!(
        conflicts,
        [
            Conflict::Stale { current: 1 },
            Conflict::NotEmpty,
            Conflict::BlobGone(blobs[1]),
            Conflict::BlobGone(blobs[7]),
            Conflict::Stale { current: 1 },
            Conflict::TooFew {
                kind: RecordKind::Member
            },
            Conflict::Missing,
            Conflict::Exists,
            Conflict::Changed,
            Conflict::InUse,
        ]
    );
}

struct Twin<'s> {
    store: &'s dyn Store,
    org: OrgId,
}

impl<'s> Twin<'s> {
    fn new(store: &'s dyn Store, seed: u64) -> Self {
        let org = World::empty(store, seed).org;
        Self { store, org }
    }

    /// Draws the same, whoever of the two it is.
    fn life(&self) -> Life<'s> {
        Life::new(self.world())
    }

    fn world(&self) -> World<'s> {
        World {
            store: self.store,
            org: self.org,
            chance: Entropy::danger_seeded(673),
        }
    }

    /// All that can be read of it.
    async fn seen(&self) -> Vec<String> {
        let (store, org, life) = (self.store, self.org, self.life());
        let ever = i64::MAX as u64;
        let mut seen = Vec::new();
        macro_rules! see {
            ($($read:expr),* $(,)?) => {
                $(seen.push(format!("{} {:?}", stringify!($read), $read.await.expect("a read")));)*
            };
        }
        let all = ListQuery {
            max: 100,
            ..ListQuery::default()
        };
        for bucket in [&life.kept, &life.lost] {
            see!(
                store.bucket(org, &bucket.name),
                store.list(org, bucket.bucket, &all),
                store.uploads(org, bucket.bucket, &all),
            );
        }
        let listed = store.list(org, life.kept.bucket, &all).await;
        for entry in listed.expect("a page").entries {
            let ListEntry::Row(row) = entry else {
                panic!("a prefix without a delimiter");
            };
            let key = &row.unverified().key;
            see!(
                store.version(org, life.kept.bucket, key),
                store.object(org, life.kept.bucket, key),
            );
        }
        for UploadRow {
            bucket,
            key,
            upload,
            ..
        } in [&life.joined, &life.given_up, &life.of_lost, &life.open]
        {
            see!(
                store.upload(org, *bucket, key, *upload),
                store.parts(org, *upload, None, 10),
            );
        }
        for kind in [life.member.kind, life.setting.kind] {
            let query = RecordQuery {
                max: 10,
                ..RecordQuery::default()
            };
            see!(
                store.records(org, kind, query),
                store.count_records(org, kind, None),
                store.count_records(org, kind, Some(2)),
            );
        }
        let lookup = life.credential.lookup;
        let of_org = CredentialQuery {
            max: 10,
            ..CredentialQuery::default()
        };
        let of_principal = CredentialQuery {
            principal: Some(life.credential.principal),
            ..of_org
        };
        let of_kind = CredentialQuery {
            kind: Some(life.credential.kind),
            ..of_principal
        };
        see!(
            store.buckets(org, "", None, 10),
            store.record(org, life.member.kind, &life.member.id),
            store.record_by_lookup(org, life.setting.kind, &[5; 32]),
            store.stored(org),
            store.audit_chains(org),
            store.audit_segments(org, life.node, 0, 10),
            store.audit_segments_between(org, 0, ever, None, 10),
            store.organization(org),
            store.organization_by_slug(&self.world().slug()),
            store.org_keys(org),
            store.name_key(org),
            store.credential(&lookup),
            store.credentials(org, of_org),
            store.credentials(org, of_principal),
            store.credentials(org, of_kind),
            store.named_by_key(org, 1, 100),
            store.named_by_key(org, 2, 100),
            store.tags(org, None, 100),
        );
        let uses = store.credential_uses(org, &[lookup]).await;
        let uses = uses.expect("a read").into_iter().map(|(_, at_ms)| at_ms);
        seen.push(format!("{:?}", uses.collect::<Vec<_>>()));
        let mut blobs = store.blobs(org, &life.blobs).await.expect("a read");
        blobs.sort_by_key(|row| row.blob);
        seen.push(format!("{blobs:?}"));
        let mut claims = store.claims(1_000).await.expect("a read");
        claims.retain(|(of, _)| *of == org);
        let garbage = store.orgs_with_trash(ever, 10_000).await.expect("a read");
        seen.push(format!("claims {claims:?} {}", garbage.contains(&org)));
        // The hour of some of it is the clock's.
        let whole = store.usage(org, 0, ever).await.expect("a read");
        let by_bucket = store.usage_by(org, 0, ever, UsageSubjectKind::Bucket);
        for (usage, subjects) in [
            (whole, "whole"),
            (by_bucket.await.expect("a read"), "bucket"),
        ] {
            for meter in [Meter::StoredBytes, Meter::Objects, Meter::Requests] {
                let of_meter = usage.iter().filter(|delta| delta.meter == meter);
                let sum: i64 = of_meter.map(|delta| delta.amount).sum();
                seen.push(format!("{subjects} {meter:?} {sum}"));
            }
        }
        let recount = store.recount(org).await.expect("a read");
        assert_eq!(recount.stored, recount.metered);
        assert_eq!(recount.stored, recount.in_buckets);
        seen
    }

    /// The same without what tells the two apart: the organization's name, and what it goes into.
    fn looks(&self, seen: &[String]) -> Vec<String> {
        let org = self.org.to_string();
        let told_apart = ["mac: [", "wrapped: [", "lookup: ["];
        let seen = seen.iter().map(|line| {
            let line = line.replace(&org, "the organization");
            told_apart
                .iter()
                .fold(line, |line, name| without(&line, name))
        });
        seen.collect()
    }

    /// The MACs of all rows.
    async fn tags(&self) -> BTreeSet<[u8; 32]> {
        let (rows, rest) = self
            .store
            .tags(self.org, None, 1_000)
            .await
            .expect("a page");
        assert_eq!(rest, None);
        rows.iter().map(|row| tag_of(row).mac).collect()
    }

    /// The MACs of all rows, as the log of changes tells them.
    async fn told_since(&self, seq: u64) -> BTreeSet<[u8; 32]> {
        let changes = self.store.changes_since(seq, 10_000).await.expect("a page");
        let mut told = BTreeSet::new();
        let own = changes.into_iter().filter(|change| change.org == self.org);
        for row in own.flat_map(|change| change.entries) {
            if let Some(old) = row.old_mac {
                assert!(told.remove(&old), "{} was not there", row.table);
            }
            if let Some(new) = row.new_mac {
                assert!(told.insert(new), "{} is there", row.table);
            }
        }
        told
    }
}

/// What a mutation holds that has to be the organization's own.
struct Holds {
    row: bool,
    key: bool,
}

impl Holds {
    fn of(mutation: &Mutation) -> Self {
        let row = match mutation {
            Mutation::CreateBucket(_)
            | Mutation::CommitVersion(_)
            | Mutation::CreateUpload(_)
            | Mutation::PutPart { .. }
            | Mutation::AppendAudit(_)
            | Mutation::Reseal(_)
            | Mutation::ReplaceOrganization(_)
            | Mutation::AddKey(_)
            | Mutation::ReplaceKey { .. }
            | Mutation::CreateNameKey(_)
            | Mutation::CreateCredential(_)
            | Mutation::ReplaceCredential(_)
            | Mutation::DestroyOrganization(_) => true,
            Mutation::CommitRecords { writes, .. } => writes
                .iter()
                .any(|write| !matches!(write, RecordWrite::Delete { .. })),
            Mutation::Rewrap(rewraps) => {
                let names_no_organization = |rewrap: &Rewrap| {
                    matches!(
                        rewrap,
                        Rewrap::Content { .. } | Rewrap::Blob { .. } | Rewrap::AuditSegment { .. }
                    )
                };
                !rewraps.iter().any(names_no_organization)
            }
            _ => false,
        };
        let key = row || matches!(mutation, Mutation::Rewrap(_));
        Self { row, key }
    }
}

/// Fails with the first of the reads that differ.
fn assert_alike(left: &[String], right: &[String], what: &str) {
    for (left, right) in left.iter().zip(right) {
        assert_eq!(left, right, "{what}");
    }
    assert_eq!(left.len(), right.len(), "{what}");
}

/// A text without the numbers that stand in brackets after a name.
fn without(text: &str, name: &str) -> String {
    let mut pieces = text.split(name);
    let mut left = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        left.push_str(piece.split_once(']').map_or("", |(_, rest)| rest));
    }
    left
}

const NO_KEY: u32 = 77;
