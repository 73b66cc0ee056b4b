use super::crash_after;
use super::world::{House, operator};
use crate::keyring::{RootFile, RootFileError, RotationError};
use crate::ops::OpsError;

#[tokio::test(start_paused = true)]
async fn a_root_is_rotated_under_running_servers_and_its_old_version_destroyed() {
    let house = House::new();
    let (process, server) = (house.start().await, house.start().await);
    let tenant = process.tenant("acme").await;
    server.assert_whole(&tenant).await;
    let root = process.root_rotation();
    let old = std::fs::read(house.root_file()).unwrap();

    let rotated = root.rotate(&operator()).await.unwrap();
    assert_eq!((rotated.version, rotated.versions), (2, vec![1, 2]));
    // The organization's and the platform's.
    assert_eq!((rotated.rewrapped, rotated.left.len()), (2, 0));
    // The server has read the file before there was a second version.
    server.get(tenant.org, "large").await.unwrap();

    let destroyed = root.destroy_version(&operator(), 1).await.unwrap();
    assert_eq!((destroyed.destroyed, destroyed.versions), (1, vec![2]));
    assert_eq!(destroyed.scrub_failed, None);
    let file = RootFile::open(&house.root_file()).unwrap();
    assert_eq!(file.versions().collect::<Vec<_>>(), [2]);
    server.tend_and_create("late").await;
    assert_eq!(process.findings().await, [""; 0]);
    house.start().await.get(tenant.org, "large").await.unwrap();

    // The old root alone opens nothing any more.
    std::fs::write(house.root_file(), old).unwrap();
    let process = house.start_unprovisioned().await;
    assert!(process.keyring.open_platform().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_root_version_that_wraps_a_key_is_not_destroyed() {
    let house = House::new();
    let process = house.start().await;
    process.tenant("acme").await;
    let root = process.root_rotation();
    assert_eq!(process.keyring.rotate_root().await.unwrap(), 2);
    let refused = root.destroy_version(&operator(), 1).await;
    assert!(
        matches!(refused, Err(OpsError::RootInUse { keys: 2, .. })),
        "{refused:?}"
    );
    assert_eq!(root.rewrap(&operator()).await.unwrap().rewrapped, 2);
    let refused = root.destroy_version(&operator(), 2).await;
    let newest = RotationError::Root(RootFileError::Newest).to_string();
    assert_eq!(refused.unwrap_err().to_string(), newest);
    root.destroy_version(&operator(), 1).await.unwrap();
    let refused = root.destroy_version(&operator(), 1).await;
    assert!(matches!(
        refused,
        Err(OpsError::NoRootVersion { version: 1 })
    ));
    let file = process.keyring.danger_destroy_root_version(2).await;
    assert!(matches!(
        file,
        Err(RotationError::Root(RootFileError::Newest))
    ));
}

#[tokio::test]
async fn a_root_rotation_that_ends_anywhere_is_ended_by_the_next() {
    let house = House::new();
    let tenant = house.start().await.tenant("acme").await;
    for steps in 0.. {
        let house = house.copy();
        let process = house.start().await;
        let ended = crash_after(steps, process.root_rotation().rotate(&operator())).await;
        drop(process);
        let process = house.start().await;
        let rewrapped = process.root_rotation().rewrap(&operator()).await.unwrap();
        assert_eq!(rewrapped.left, [""; 0]);
        let job = process.job(tenant.org);
        let versions = process.keyring.versions(&job).await.unwrap();
        assert_eq!(versions[0].root_version, rewrapped.version);
        process.get(tenant.org, "large").await.unwrap();
        if ended.is_some() {
            assert_eq!((rewrapped.version, rewrapped.rewrapped), (2, 0));
            break;
        }
    }
}

#[tokio::test]
async fn a_key_that_is_damaged_stays_under_the_old_root_and_is_named() {
    let house = House::new();
    let process = house.start().await;
    let (one, two) = (process.tenant("one").await, process.tenant("two").await);
    let spoil = "UPDATE org_keys SET created_ms = created_ms + 1 WHERE org_id = ?1";
    let spoilt = house.database().execute(spoil, [one.org.bytes()]).unwrap();
    assert_eq!(spoilt, 1);
    let rotated = process.root_rotation().rotate(&operator()).await.unwrap();
    assert_eq!(rotated.rewrapped, 2);
    assert_eq!(rotated.left, [format!("org_keys {} 1", one.org)]);
    process.get(two.org, "small").await.unwrap();
    let refused = process
        .root_rotation()
        .destroy_version(&operator(), 1)
        .await;
    assert!(matches!(refused, Err(OpsError::RootInUse { keys: 1, .. })));
}
