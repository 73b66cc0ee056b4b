//! What whoever can write the catalog can do to it, and what comes of it: an error, and no byte.

use super::world::*;
use crate::drive::*;

const CHUNK: usize = 64 * 1024;

/// Two small objects and two large ones, of equal length each.
async fn furnished() -> World {
    let world = World::new().await;
    for (key, seed, length) in [
        ("small 1", 1, 100),
        ("small 2", 2, 100),
        ("large 1", 3, 3 * CHUNK),
        ("large 2", 4, 3 * CHUNK),
    ] {
        world.ours.put(key, &bytes(seed, length)).await;
    }
    world
}

fn is_damage<T>(outcome: Result<T, DriveError>) -> bool {
    matches!(outcome, Err(DriveError::Damaged(_)))
}

/// The version that stands under a key.
fn version(key: &str) -> String {
    format!("(SELECT version_id FROM versions WHERE key = CAST('{key}' AS BLOB))")
}

#[tokio::test]
async fn a_row_that_was_changed_is_refused_everywhere() {
    for change in [
        "size = size - 1",
        "size = size + 1",
        "modified_ms = modified_ms + 1",
        "sequence = sequence + 1",
        "parts = 1",
        "is_null = 0",
        "etag = zeroblob(32)",
        "content_digest = zeroblob(32)",
        "version_id = zeroblob(16)",
        "mac = zeroblob(32)",
        "key_version = 9",
        "key = CAST('small 3' AS BLOB)",
    ] {
        let world = furnished().await;
        let which = "WHERE key = CAST('small 1' AS BLOB)";
        if change.starts_with("version_id") {
            let sql = "UPDATE contents SET version_id = zeroblob(16) WHERE version_id = ";
            assert_eq!(world.tamper(&format!("{sql}{}", version("small 1"))), 1);
        }
        assert_eq!(
            world.tamper(&format!("UPDATE versions SET {change} {which}")),
            1
        );
        let ours = &world.ours;
        let key = if change.starts_with("key =") {
            "small 3"
        } else {
            "small 1"
        };
        assert!(is_damage(ours.get(key).await), "get, {change}");
        assert!(is_damage(ours.head(key).await), "head, {change}");
        let copy = ours.copy(key, "copy", CopyRequest::default()).await;
        assert!(is_damage(copy), "copy, {change}");
        let request = ListRequest {
            max: 10,
            ..ListRequest::default()
        };
        let list = world.drive.list(ours.prefix(""), request).await;
        assert!(is_damage(list), "list, {change}");
        let condition = WriteConditions {
            if_match: Some(EtagCondition::Any),
            ..WriteConditions::default()
        };
        let put = ours.put_if(key, b"new", condition).await;
        assert!(is_damage(put), "put, {change}");
        // It harms no other, and a write that asks for nothing replaces it.
        assert_eq!(ours.get("small 2").await.unwrap(), bytes(2, 100));
        ours.put(key, b"new").await;
        assert_eq!(ours.get(key).await.unwrap(), b"new");
    }
}

#[tokio::test]
async fn what_versions_hold_cannot_be_swapped() {
    for (one, other) in [("small 1", "small 2"), ("large 1", "large 2")] {
        for columns in [
            "metadata = other.metadata",
            "body = other.body, slices = other.slices",
            "metadata = other.metadata, body = other.body, slices = other.slices",
        ] {
            let world = furnished().await;
            let swap = format!(
                "UPDATE contents SET {columns}
                 FROM (SELECT * FROM contents) AS other
                 WHERE contents.version_id IN ({one}, {other})
                   AND other.version_id IN ({one}, {other})
                   AND other.version_id <> contents.version_id",
                one = version(one),
                other = version(other),
            );
            assert_eq!(world.tamper(&swap), 2);
            for key in [one, other] {
                assert!(is_damage(world.ours.get(key).await), "{key}, {columns}");
                assert!(is_damage(world.ours.head(key).await), "{key}, {columns}");
            }
        }
    }
}

#[tokio::test]
async fn rows_of_two_keys_cannot_change_places() {
    let world = furnished().await;
    for (from, to) in [
        ("small 1", "aside"),
        ("small 2", "small 1"),
        ("aside", "small 2"),
    ] {
        let sql = format!(
            "UPDATE versions SET key = CAST('{to}' AS BLOB) WHERE key = CAST('{from}' AS BLOB)"
        );
        assert_eq!(world.tamper(&sql), 1);
    }
    for key in ["small 1", "small 2"] {
        assert!(is_damage(world.ours.get(key).await), "{key}");
    }
}

#[tokio::test]
async fn a_header_opens_its_own_blob_alone() {
    let world = furnished().await;
    let swap = "UPDATE blobs SET header = other.header
         FROM (SELECT * FROM blobs) AS other WHERE other.blob_id <> blobs.blob_id";
    assert_eq!(world.tamper(swap), 2);
    for key in ["large 1", "large 2"] {
        assert!(is_damage(world.ours.get(key).await), "{key}");
        world.ours.head(key).await.unwrap();
    }
    for garbage in ["zeroblob(192)", "zeroblob(10)", "zeroblob(0)"] {
        world.tamper(&format!("UPDATE blobs SET header = {garbage}"));
        assert!(is_damage(world.ours.get("large 1").await), "{garbage}");
    }
}

#[tokio::test]
async fn blobs_cannot_change_places_in_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let disk = crate::blobs::DiskBlobs::open(dir.path()).unwrap();
    let world = World::over(settings(), std::sync::Arc::new(disk)).await;
    world.ours.put("large 1", &bytes(1, 3 * CHUNK)).await;
    world.ours.put("large 2", &bytes(2, 3 * CHUNK)).await;
    let [one, other] = world.stored_blobs().await[..] else {
        panic!("two blobs");
    };
    let path = |blob: names::BlobId| {
        let shard = format!("{:02x}", blob.bytes()[15]);
        let org = world.ours.org().to_string();
        dir.path()
            .join("orgs")
            .join(org)
            .join(shard)
            .join(blob.to_string())
    };
    let contents = [one, other].map(|entry| std::fs::read(path(entry.blob)).unwrap());
    std::fs::write(path(one.blob), &contents[1]).unwrap();
    std::fs::write(path(other.blob), &contents[0]).unwrap();
    for key in ["large 1", "large 2"] {
        assert!(is_damage(world.ours.get(key).await), "{key}");
    }
    // Cut short, at a border of chunks and elsewhere. The footer is no part of what a read returns.
    let stride = CHUNK + 16;
    for length in [0, 100, 192, 192 + stride, 192 + 3 * stride - 1] {
        for (entry, content) in [one, other].iter().zip(&contents) {
            std::fs::write(path(entry.blob), &content[..length]).unwrap();
        }
        for key in ["large 1", "large 2"] {
            assert!(is_damage(world.ours.get(key).await), "{key} {length}");
        }
    }
}

#[tokio::test]
async fn rows_of_another_organization_are_not_ours() {
    let world = World::new().await;
    let theirs = world.other().await;
    for (tenant, seed) in [(&world.ours, 1), (&theirs, 2)] {
        tenant.put("small", &bytes(seed, 100)).await;
        tenant.put("large", &bytes(seed, 3 * CHUNK)).await;
    }
    let hex = |org: names::OrgId| format!("X'{}'", hex::encode(org.bytes()));
    let (us, them) = (hex(world.ours.org()), hex(theirs.org()));
    let ours_bucket = format!("(SELECT bucket_id FROM buckets WHERE org_id = {us})");
    for table in ["versions", "contents", "blobs"] {
        world.tamper(&format!("DELETE FROM {table} WHERE org_id = {us}"));
        let bucket = match table {
            "versions" => format!(", bucket_id = {ours_bucket}"),
            _ => String::new(),
        };
        let moved = world.tamper(&format!(
            "UPDATE {table} SET org_id = {us}{bucket} WHERE org_id = {them}"
        ));
        assert!(moved > 0, "{table}");
    }
    for key in ["small", "large"] {
        assert!(is_damage(world.ours.get(key).await), "{key}");
        assert!(is_damage(world.ours.head(key).await), "{key}");
    }
}

#[tokio::test]
async fn a_bucket_cannot_be_put_in_anothers_place() {
    let world = World::new().await;
    let other = world.ours.in_bucket("other");
    let _ = world.drive.create_bucket(other.bucket()).await.unwrap();
    other.put("k", b"in the other").await;
    let swap = "UPDATE buckets SET name = CASE name
             WHEN CAST('docs' AS BLOB) THEN CAST('gone' AS BLOB)
             ELSE CAST('docs' AS BLOB) END";
    assert_eq!(world.tamper(swap), 2);
    let fresh = world.another();
    assert!(is_damage(fresh.get("k").await));
    assert!(is_damage(
        fresh.try_put("k", PutRequest::default(), body(b"1")).await
    ));
    let listed = fresh.drive.list_buckets(fresh.organization(), "", None, 10);
    assert!(is_damage(listed.await));
}

#[tokio::test]
async fn parts_and_uploads_cannot_be_changed() {
    for change in [
        "UPDATE uploads SET metadata = other.metadata FROM (SELECT * FROM uploads) AS other
         WHERE other.upload_id <> uploads.upload_id",
        "UPDATE uploads SET principal_id = zeroblob(16)",
        "UPDATE upload_parts SET slices = other.slices FROM (SELECT * FROM upload_parts) AS other
         WHERE other.upload_id <> upload_parts.upload_id",
        "UPDATE upload_parts SET metadata = other.metadata
         FROM (SELECT * FROM upload_parts) AS other
         WHERE other.upload_id <> upload_parts.upload_id",
        "UPDATE upload_parts SET size = size + 1",
    ] {
        let world = World::new().await;
        let ours = &world.ours;
        let mut begun = Vec::new();
        for (key, text) in [("one", b"1"), ("two", b"2")] {
            let upload = ours.begin(key, NewUpload::default()).await;
            let info = ours.part(key, upload, 1, body(text)).await.unwrap();
            begun.push((key, upload, info));
        }
        assert_eq!(world.tamper(change), 2, "{change}");
        let mut damaged = 0;
        for (key, upload, info) in begun {
            let request = completion(upload, std::slice::from_ref(&info));
            match ours.complete(key, request).await {
                Err(DriveError::Damaged(_)) => damaged += 1,
                other => panic!("{change}: {other:?}"),
            }
        }
        assert_eq!(damaged, 2, "{change}");
    }
}

#[tokio::test]
async fn a_part_cannot_move_to_another_upload() {
    let world = World::new().await;
    let ours = &world.ours;
    let (one, other) = (
        ours.begin("k", NewUpload::default()).await,
        ours.begin("k", NewUpload::default()).await,
    );
    ours.part("k", one, 1, body(b"1")).await.unwrap();
    let into = format!("upload_id = X'{}'", hex::encode(other.bytes()));
    assert_eq!(world.tamper(&format!("UPDATE upload_parts SET {into}")), 1);
    let listed = world.drive.list_parts(ours.object("k"), other, None, 10);
    assert!(is_damage(listed.await));
}

#[tokio::test]
async fn a_part_cannot_take_another_number() {
    let world = World::new().await;
    let ours = &world.ours;
    let upload = ours.begin("k", NewUpload::default()).await;
    let info = ours.part("k", upload, 1, body(b"1")).await.unwrap();
    assert_eq!(world.tamper("UPDATE upload_parts SET part = 2"), 1);
    let renumbered = PartInfo {
        part: part(2),
        ..info
    };
    let request = completion(upload, &[renumbered]);
    assert!(is_damage(ours.complete("k", request).await));
    let listed = world.drive.list_parts(ours.object("k"), upload, None, 10);
    assert!(is_damage(listed.await));
}
