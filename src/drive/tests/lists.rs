use std::collections::BTreeSet;

use super::world::*;
use crate::drive::*;

async fn page(ours: &Tenant, prefix: &str, request: ListRequest) -> Result<Listing, DriveError> {
    let list = ours.drive.list(ours.prefix(prefix), request).await;
    list.map(|(listing, _)| listing)
}

fn named(entry: &ListedObject) -> String {
    match entry {
        ListedObject::Object { key, .. } => key.to_string(),
        ListedObject::Prefix(prefix) => format!("{prefix}*"),
    }
}

/// What a list must show, computed from all keys.
fn meant(keys: &[&str], prefix: &str, delimiter: Option<&str>) -> Vec<String> {
    let mut found = BTreeSet::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let rest = &key[prefix.len()..];
        let rolled = delimiter.and_then(|delimiter| Some((rest.find(delimiter)?, delimiter)));
        found.insert(match rolled {
            Some((at, delimiter)) => (format!("{prefix}{}", &rest[..at + delimiter.len()]), true),
            None => ((*key).to_owned(), false),
        });
    }
    found
        .into_iter()
        .map(|(name, is_prefix)| if is_prefix { format!("{name}*") } else { name })
        .collect()
}

#[tokio::test]
async fn pages_of_every_size_make_the_whole_list() {
    let world = World::new().await;
    let ours = &world.ours;
    let keys = [
        "a", "a/", "a/1", "a/2", "a/b/c", "a/b/d", "b", "b//x", "b/x", "c", "c.d", "ä/ö", "z/z/z",
    ];
    for key in keys {
        ours.put(key, key.as_bytes()).await;
    }
    for (prefix, delimiter) in [
        ("", None),
        ("", Some("/")),
        ("a", Some("/")),
        ("a/", Some("/")),
        ("a/", None),
        ("b", Some("//")),
        ("", Some("b")),
        ("nothing", Some("/")),
    ] {
        let all = meant(&keys, prefix, delimiter);
        for max in 1..=all.len().max(1) {
            for by_token in [true, false] {
                let mut found = Vec::new();
                let mut start = ListStart::Beginning;
                loop {
                    let request = ListRequest {
                        delimiter: delimiter.map(Into::into),
                        start,
                        max: max as u32,
                    };
                    let listing = page(ours, prefix, request).await.unwrap();
                    assert!(listing.entries.len() <= max);
                    found.extend(listing.entries.iter().map(named));
                    assert_eq!(listing.is_truncated, listing.next_token.is_some());
                    start = match (listing.next_token, listing.next_marker) {
                        (Some(token), Some(_)) if by_token => ListStart::Token(token),
                        (Some(_), Some(marker)) => ListStart::After(marker),
                        _ => break,
                    };
                }
                assert_eq!(found, all, "{prefix:?} {delimiter:?} {max} {by_token}");
            }
        }
    }
}

#[tokio::test]
async fn a_list_tells_what_a_read_tells() {
    let world = World::new().await;
    let ours = &world.ours;
    for (number, length) in [(1, 10), (2, 100_000)] {
        ours.put(&format!("{number}"), &bytes(number, length)).await;
    }
    let listing = page(
        ours,
        "",
        ListRequest {
            max: 1000,
            ..ListRequest::default()
        },
    )
    .await;
    for entry in listing.unwrap().entries {
        let ListedObject::Object {
            key,
            size,
            modified_ms,
            etag,
        } = entry
        else {
            panic!("no delimiter, no prefix");
        };
        let info = ours.head(key.as_str()).await.unwrap();
        assert_eq!(
            (info.size, info.modified_ms, info.etag),
            (size, modified_ms, etag)
        );
    }
}

#[tokio::test]
async fn long_pages_are_verified_too() {
    let world = World::new().await;
    let ours = &world.ours;
    for number in 0..200 {
        ours.put(&format!("{number:03}"), b"x").await;
    }
    let all = ListRequest {
        max: 1000,
        ..ListRequest::default()
    };
    let listing = page(ours, "", all.clone()).await.unwrap();
    assert_eq!(listing.entries.len(), 200);
    assert_eq!(
        world.tamper("UPDATE versions SET size = 9 WHERE key = CAST('149' AS BLOB)"),
        1
    );
    assert!(matches!(
        page(ours, "", all).await,
        Err(DriveError::Damaged(_))
    ));
}

#[tokio::test]
async fn a_page_of_nothing_is_empty_and_the_last() {
    let world = World::new().await;
    world.ours.put("a", b"1").await;
    let listing = page(&world.ours, "", ListRequest::default()).await.unwrap();
    assert!(listing.entries.is_empty() && !listing.is_truncated);
    assert_eq!((listing.next_marker, listing.next_token), (None, None));
}

#[tokio::test]
async fn a_token_is_good_for_its_own_list_alone() {
    let world = World::new().await;
    let (ours, theirs) = (&world.ours, world.other().await);
    let elsewhere = ours.in_bucket("elsewhere");
    let _ = world.drive.create_bucket(elsewhere.bucket()).await.unwrap();
    for tenant in [ours, &theirs, &elsewhere] {
        for key in ["a/1", "a/2", "a/3"] {
            tenant.put(key, b"x").await;
        }
    }
    let ask = |start, delimiter: Option<&str>| ListRequest {
        delimiter: delimiter.map(Into::into),
        start,
        max: 1,
    };
    let first = page(ours, "a/", ask(ListStart::Beginning, Some("/"))).await;
    let token = first.unwrap().next_token.unwrap();
    assert!(!token.contains("a/1") && token.bytes().all(|byte| byte.is_ascii_graphic()));
    let good = || ListStart::Token(token.clone());

    let second = page(ours, "a/", ask(good(), Some("/"))).await.unwrap();
    assert_eq!(named(&second.entries[0]), "a/2");

    let refused = |outcome: Result<Listing, DriveError>| {
        assert!(matches!(outcome, Err(DriveError::InvalidArgument(_))));
    };
    refused(page(&theirs, "a/", ask(good(), Some("/"))).await);
    refused(page(&elsewhere, "a/", ask(good(), Some("/"))).await);
    refused(page(ours, "a", ask(good(), Some("/"))).await);
    refused(page(ours, "a/", ask(good(), None)).await);
    for at in [0, 20, 300, token.len() - 1] {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = ListStart::Token(String::from_utf8(changed).unwrap());
        refused(page(ours, "a/", ask(changed, Some("/"))).await);
    }
    for garbage in ["", "x", "====", "a/1"] {
        let garbage = ListStart::Token(garbage.into());
        refused(page(ours, "a/", ask(garbage, Some("/"))).await);
    }
}
