use super::world::*;
use crate::drive::*;

#[tokio::test]
async fn buckets_come_and_go() {
    let world = World::new().await;
    let ours = &world.ours;
    let drive = &world.drive;
    assert!(matches!(
        drive.create_bucket(ours.bucket()).await,
        Err(DriveError::BucketExists)
    ));
    let (found, _) = drive.head_bucket(ours.bucket()).await.unwrap();
    assert_eq!(found.name, ours.bucket);

    ours.put("a", b"1").await;
    assert!(matches!(
        drive.delete_bucket(ours.bucket()).await,
        Err(DriveError::BucketNotEmpty)
    ));
    ours.delete("a").await;
    let _ = drive.delete_bucket(ours.bucket()).await.unwrap();
    assert!(matches!(
        drive.head_bucket(ours.bucket()).await,
        Err(DriveError::NoSuchBucket)
    ));
    assert!(matches!(
        drive.delete_bucket(ours.bucket()).await,
        Err(DriveError::NoSuchBucket)
    ));
    // The name is another bucket the next time.
    let (again, _) = drive.create_bucket(ours.bucket()).await.unwrap();
    assert_ne!(again.bucket, found.bucket);
}

#[tokio::test]
async fn every_call_misses_a_bucket_that_is_not_there() {
    let world = World::new().await;
    let nowhere = world.ours.in_bucket("nowhere");
    let upload = world.ours.begin("k", NewUpload::default()).await;
    let none = |outcome: Result<(), DriveError>| {
        assert!(matches!(outcome, Err(DriveError::NoSuchBucket)));
    };
    none(
        nowhere
            .try_put("k", PutRequest::default(), body(b"1"))
            .await
            .map(drop),
    );
    none(nowhere.get("k").await.map(drop));
    none(nowhere.head("k").await.map(drop));
    none(nowhere.delete_if("k", DeleteConditions::default()).await);
    none(
        nowhere
            .copy("k", "l", CopyRequest::default())
            .await
            .map(drop),
    );
    none(nowhere.part("k", upload, 1, body(b"1")).await.map(drop));
    let list = world
        .drive
        .list(nowhere.prefix(""), ListRequest::default())
        .await;
    none(list.map(drop));
    let created = world
        .drive
        .create_upload(nowhere.object("k"), NewUpload::default())
        .await;
    none(created.map(drop));
}

#[tokio::test]
async fn a_bucket_that_another_process_deleted_is_not_believed_to_be_there() {
    let world = World::new().await;
    let ours = &world.ours;
    ours.put("a", b"1").await;
    ours.delete("a").await;
    // Behind this process's back: what it remembers of the bucket is old.
    assert_eq!(world.tamper("DELETE FROM buckets"), 1);
    let put = ours.try_put("a", PutRequest::default(), body(b"2")).await;
    assert!(matches!(put, Err(DriveError::NoSuchBucket)));
}

#[tokio::test]
async fn organizations_do_not_see_each_others_buckets() {
    let world = World::new().await;
    let (ours, theirs) = (&world.ours, world.other().await);
    ours.put("k", b"ours").await;
    assert!(matches!(theirs.get("k").await, Err(DriveError::NoSuchKey)));
    theirs.put("k", b"theirs").await;
    assert_eq!(ours.get("k").await.unwrap(), b"ours");
    theirs.delete("k").await;
    assert_eq!(ours.get("k").await.unwrap(), b"ours");
    let secret = ours.in_bucket("secret");
    let _ = world.drive.create_bucket(secret.bucket()).await.unwrap();
    let theirs_there = theirs.in_bucket("secret");
    assert!(matches!(
        world.drive.head_bucket(theirs_there.bucket()).await,
        Err(DriveError::NoSuchBucket)
    ));
    // A copy between them does not exist, whatever permits are combined.
    let copy = world.drive.copy(
        ours.object("k"),
        theirs.object("k"),
        theirs.allowance(),
        CopyRequest::default(),
    );
    assert!(matches!(copy.await, Err(DriveError::NoSuchBucket)));
    // And nobody spends another's allowance.
    let put = world.drive.put(
        ours.object("k"),
        theirs.allowance(),
        PutRequest::default(),
        body(b"1"),
    );
    assert!(matches!(put.await, Err(DriveError::Unavailable(_))));
}

#[tokio::test]
async fn buckets_are_listed_in_pages() {
    let world = World::new().await;
    let ours = &world.ours;
    for name in ["alpha", "beta-1", "beta-2", "beta-3"] {
        let bucket = ours.in_bucket(name).bucket();
        let _ = world.drive.create_bucket(bucket).await.unwrap();
    }
    let page = async |prefix, after, max| {
        let list = world
            .drive
            .list_buckets(ours.organization(), prefix, after, max);
        let ((buckets, more), _) = list.await.unwrap();
        let names: Vec<_> = buckets.iter().map(|b| b.name.to_string()).collect();
        (names.join(" "), more)
    };
    let page = |prefix, after, max| page(prefix, after, max);
    let all = "alpha beta-1 beta-2 beta-3 docs".to_owned();
    assert_eq!(page("", None, 1000).await, (all, false));
    assert_eq!(page("beta", None, 2).await, ("beta-1 beta-2".into(), true));
    assert_eq!(
        page("beta", Some("beta-2"), 2).await,
        ("beta-3".into(), false)
    );
    assert_eq!(page("", None, 0).await, (String::new(), false));
}
