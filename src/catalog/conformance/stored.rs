//! What is stored: counted in every way there is, and kept within limits.

use futures_util::future::join_all;
use names::{BucketId, PrincipalId};

use super::world::{
    HOUR, World, accounting, blob_row, bucket_name, commit_version, object_key, slices, tagged,
};
use crate::catalog::{
    Accounting, Body, CommitVersion, CompletedUpload, Conflict, Effect, Expect, Meter, Mutation,
    RecordKind, RecordWrite, Recount, Store, Stored, StoredLimits, TaggedRow, UsageDelta,
    UsageSubject, UsageSubjectKind,
};

pub(in crate::catalog) async fn what_is_counted_once_is_counted_once(store: &dyn Store) {
    let world = World::new(store, 909).await;
    let mark = world.record_row(RecordKind::Idempotency);
    let count = |meter, amount| {
        let usage = vec![UsageDelta {
            hour_ms: HOUR,
            meter,
            subject: UsageSubject::Whole,
            amount,
        }];
        let writes = vec![RecordWrite::Insert(tagged(mark.clone(), 1))];
        world.commit(Mutation::CountOnce { writes, usage })
    };
    // What is stored is counted by the catalog itself: nothing of it is done.
    let refused = count(Meter::StoredBytes, 1).await;
    assert_eq!(refused, Err(Conflict::Missing));
    let counted = join_all((0..16).map(|_| count(Meter::ToolCalls, 3))).await;
    assert_eq!(counted.iter().filter(|one| one.is_ok()).count(), 1);
    assert!(
        counted
            .iter()
            .all(|one| matches!(one, Ok(_) | Err(Conflict::Exists)))
    );
    let sums = store.usage(world.org, 0, u64::MAX >> 1).await.unwrap();
    let calls = sums.iter().filter(|sum| sum.meter == Meter::ToolCalls);
    assert_eq!(calls.map(|sum| sum.amount).sum::<i64>(), 3);
    assert_eq!(world.stored().await, (0, 0));
}

pub(in crate::catalog) async fn what_is_stored_stays_within_its_limits(store: &dyn Store) {
    let world = World::new(store, 901).await;
    let bucket = world.bucket("docs").await;
    let put = |key: &str, sequence, size: usize, limits| {
        let mut commit = world.put(bucket, key, sequence, world.inline(size), &[]);
        commit.accounting = within(limits);
        world.commit(commit_version(commit))
    };
    let over = |meter| Err(Conflict::OverLimit { meter });
    let (over_bytes, over_objects) = (over(Meter::StoredBytes), over(Meter::Objects));
    let (bytes, objects) = (bytes_max, objects_max);

    // Up to the limit, and not a byte over it.
    assert_eq!(put("a", 1, 300, bytes(299)).await, over_bytes);
    assert_eq!(world.stored().await, (0, 0));
    assert_eq!(put("a", 1, 300, objects(0)).await, over_objects);
    let replaced = |outcome: Result<Effect, Conflict>| matches!(outcome, Ok(Effect::Replaced(replaced)) if replaced.is_some());
    assert_eq!(
        put("a", 1, 300, bytes(300)).await,
        Ok(Effect::Replaced(None))
    );
    assert_eq!(put("b", 1, 200, objects(1)).await, over_objects);
    assert_eq!(put("b", 1, 200, bytes(499)).await, over_bytes);
    assert_eq!(
        put("b", 1, 200, bytes(500)).await,
        Ok(Effect::Replaced(None))
    );
    assert_eq!(world.stored().await, (500, 2));

    // What replaces counts by how much it is more.
    assert_eq!(put("a", 2, 301, bytes(500)).await, over_bytes);
    assert!(replaced(put("a", 2, 301, bytes(501)).await));
    // Over the limits already: as much or less is never refused.
    assert!(replaced(put("a", 3, 301, bytes(0)).await));
    assert!(replaced(
        put(
            "a",
            4,
            250,
            StoredLimits {
                objects_max: Some(0),
                ..bytes(0)
            }
        )
        .await
    ));
    assert_eq!(world.stored().await, (450, 2));
    let delete = Mutation::DeleteVersion {
        bucket,
        key: object_key("a"),
        expect: Expect::Any,
        accounting: within(bytes(0)),
    };
    assert!(replaced(world.commit(delete).await));
    assert_eq!(world.stored().await, (200, 1));

    // Parts count as they come, and what is completed of them only by the object.
    let upload = world.upload(bucket, "whole").await;
    let mut parts = Vec::new();
    let blobs = [world.blob(), world.blob()];
    for (part, blob) in [1, 2].into_iter().zip(blobs) {
        let row = tagged(world.part_row(upload, part, &[blob]), 1);
        parts.push((row.row().part, row.tag()));
        let put = |limits| Mutation::PutPart {
            bucket,
            key: object_key("whole"),
            part: row.clone(),
            new_blobs: vec![blob_row(blob, 1)],
            accounting: within(limits),
        };
        let stored = 200 + part * 100;
        assert_eq!(world.commit(put(bytes(stored - 1))).await, over_bytes);
        let objects_do_not_count = StoredLimits {
            objects_max: Some(0),
            ..bytes(stored)
        };
        assert_eq!(
            world.commit(put(objects_do_not_count)).await,
            Ok(Effect::Done)
        );
    }
    let replacement = Mutation::PutPart {
        bucket,
        key: object_key("whole"),
        part: tagged(world.part_row(upload, 2, &blobs[1..]), 1),
        new_blobs: Vec::new(),
        accounting: within(bytes(0)),
    };
    assert_eq!(
        world.commit(replacement).await,
        Ok(Effect::Done),
        "as large"
    );
    let second = store.parts(world.org, upload, None, 10).await;
    parts[1].1 = second.expect("parts")[1].tag();
    assert_eq!(world.stored().await, (400, 1));
    let complete = |limits| -> CommitVersion {
        let mut content = world.in_blobs(&blobs);
        content.body = Body::Blobs(slices(&blobs, 1));
        let mut commit = world.put(bucket, "whole", 1, content, &[]);
        commit.accounting = within(limits);
        commit.completes = Some(CompletedUpload {
            upload,
            parts: parts.clone(),
        });
        commit
    };
    let refused = world.commit(commit_version(complete(objects(1)))).await;
    assert_eq!(refused, over_objects);
    let limits = StoredLimits {
        objects_max: Some(2),
        ..bytes(0)
    };
    let completed = world.commit(commit_version(complete(limits))).await;
    assert_eq!(completed, Ok(Effect::Replaced(None)));
    assert_eq!(world.stored().await, (400, 2));

    // What is given up is room again.
    let upload = world.upload(bucket, "later").await;
    world
        .part((bucket, "later"), upload, 1, &[world.blob()])
        .await;
    assert_eq!(world.stored().await, (500, 2));
    let abort = Mutation::AbortUpload {
        bucket,
        key: object_key("later"),
        upload,
        accounting: within(bytes(0)),
    };
    assert_eq!(world.commit(abort).await, Ok(Effect::Done));
    assert_eq!(world.stored().await, (400, 2));
    // Another organization's are its own.
    let other = World::new(store, 902).await;
    assert_eq!(other.stored().await, (0, 0));
}

pub(in crate::catalog) async fn one_of_many_gets_the_last_room(store: &dyn Store) {
    let world = World::new(store, 911).await;
    let bucket = world.bucket("docs").await;
    world.object(bucket, "standing", 1).await;
    for (limits, meter) in [
        (bytes_max(3 * 192 - 1), Meter::StoredBytes),
        (objects_max(3), Meter::Objects),
    ] {
        let puts = (0..64).map(|n| {
            let key = format!("{meter:?}-{n}");
            let mut commit = world.put(bucket, &key, 1, world.inline(192), &[]);
            commit.accounting = within(limits);
            world.commit(commit_version(commit))
        });
        let outcomes = join_all(puts).await;
        let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(done, 1, "{meter:?}");
        for refused in outcomes.into_iter().filter(Result::is_err) {
            assert_eq!(refused, Err(Conflict::OverLimit { meter }));
        }
    }
    assert_eq!(world.stored().await, (3 * 192, 3));
}

pub(in crate::catalog) async fn use_is_counted_by_principal_and_bucket(store: &dyn Store) {
    let world = World::new(store, 921).await;
    let buckets = [world.bucket("one").await, world.bucket("two").await];
    for (n, bucket) in buckets.into_iter().enumerate() {
        for key in ["a", "b"].into_iter().take(n + 1) {
            world.object(bucket, key, 1).await;
        }
    }
    let principals = [(); 2].map(|()| PrincipalId::from_bytes(world.chance.uuid_v4()));
    let delta = |hour: u64, subject, amount| UsageDelta {
        hour_ms: HOUR + hour * 3_600_000,
        meter: Meter::Requests,
        subject,
        amount,
    };
    let [one, two] = principals.map(UsageSubject::Principal);
    for (hour, amount) in [(0, 3), (1, 5)] {
        let deltas = vec![
            delta(hour, UsageSubject::Whole, 2 * amount),
            delta(hour, one, amount),
            delta(hour, two, amount),
        ];
        world.done(Mutation::AddUsage(deltas)).await;
    }
    world.done(Mutation::AddUsage(vec![delta(0, one, 1)])).await;

    let mut by_principal = vec![
        delta(0, one, 4),
        delta(0, two, 3),
        delta(1, one, 5),
        delta(1, two, 5),
    ];
    by_principal.sort_by_key(|delta| (delta.hour_ms, delta.subject));
    let mut by_bucket: Vec<UsageDelta> = buckets
        .into_iter()
        .zip(1..)
        .flat_map(|(bucket, count)| {
            let subject = UsageSubject::Bucket(bucket);
            let of = |meter, amount| UsageDelta {
                meter,
                ..delta(0, subject, amount)
            };
            [
                of(Meter::StoredBytes, 192 * count),
                of(Meter::Objects, count),
            ]
        })
        .collect();
    by_bucket.sort_by_key(|delta| (delta.subject, delta.meter));
    let whole = |meter, amount| UsageDelta {
        meter,
        ..delta(0, UsageSubject::Whole, amount)
    };
    let whole = [
        whole(Meter::StoredBytes, 3 * 192),
        whole(Meter::Objects, 3),
        whole(Meter::Requests, 6),
        delta(1, UsageSubject::Whole, 10),
    ];
    for folds in 0..3 {
        let usage_by = async |from_ms, until_ms, subjects| {
            let usage = store.usage_by(world.org, from_ms, until_ms, subjects).await;
            usage.expect("usage")
        };
        let (principal, bucket) = (UsageSubjectKind::Principal, UsageSubjectKind::Bucket);
        assert_eq!(
            usage_by(0, u64::MAX, principal).await,
            by_principal,
            "{folds}"
        );
        assert_eq!(usage_by(0, u64::MAX, bucket).await, by_bucket, "{folds}");
        let later = HOUR + 3_600_000;
        assert_eq!(
            usage_by(later, u64::MAX, principal).await,
            by_principal[2..]
        );
        assert_eq!(usage_by(0, later, principal).await, by_principal[..2]);
        let usage = store.usage(world.org, 0, u64::MAX).await.expect("usage");
        assert_eq!(usage, whole, "{folds}");
        world.done(Mutation::FoldUsage).await;
    }
    // What is stored nobody counts but the catalog.
    for meter in [Meter::StoredBytes, Meter::Objects] {
        let stored = UsageDelta {
            meter,
            ..delta(0, UsageSubject::Whole, -1)
        };
        let deltas = vec![delta(0, one, 1), stored];
        let refused = world.commit(Mutation::AddUsage(deltas)).await;
        assert_eq!(refused, Err(Conflict::Missing));
    }
    assert_eq!(world.stored().await, (3 * 192, 3));

    // A bucket that goes takes its uploads with it, and what they count.
    let upload = world.upload(buckets[0], "upload").await;
    world
        .part((buckets[0], "upload"), upload, 1, &[world.blob()])
        .await;
    assert_eq!(world.stored().await, (3 * 192 + 100, 3));
    world.done(delete(buckets[0], "a")).await;
    let bucket = Mutation::DeleteBucket {
        name: bucket_name("one"),
        bucket: buckets[0],
    };
    assert_eq!(world.commit(bucket).await, Ok(Effect::Done));
    assert_eq!(world.stored().await, (2 * 192, 2));
}

fn delete(bucket: BucketId, key: &str) -> Mutation {
    Mutation::DeleteVersion {
        bucket,
        key: object_key(key),
        expect: Expect::Any,
        accounting: accounting(),
    }
}

fn within(limits: StoredLimits) -> Accounting {
    Accounting {
        limits,
        ..accounting()
    }
}

fn bytes_max(bytes: u64) -> StoredLimits {
    StoredLimits {
        bytes_max: Some(bytes),
        objects_max: None,
    }
}

fn objects_max(objects: u64) -> StoredLimits {
    StoredLimits {
        bytes_max: None,
        objects_max: Some(objects),
    }
}

impl World<'_> {
    /// What is stored, bytes and objects: limits, meters and rows agree on it.
    pub(in crate::catalog) async fn stored(&self) -> (i64, i64) {
        let read = self.store.stored(self.org).await.expect("read");
        let recount = Recount {
            stored: read,
            metered: read,
            in_buckets: read,
        };
        let counted = self.store.recount(self.org).await.expect("a recount");
        assert_eq!(counted, recount);
        let mut held = Stored::default();
        let (rows, rest) = self.store.tags(self.org, None, 10_000).await.expect("rows");
        assert!(rest.is_none());
        for row in rows {
            held = held.plus(match row {
                TaggedRow::Version(row, ..) => Stored::version(row.unverified().size),
                TaggedRow::Part(row, _) => Stored::part(row.unverified().size),
                _ => Stored::default(),
            });
        }
        assert_eq!(held, read);
        (read.bytes, read.objects)
    }
}
