//! Listings, against a model that has all keys before it and does the simplest thing.

use std::collections::{BTreeMap, BTreeSet};

use names::{BucketId, KeyPrefix, UploadId};

use super::world::{World, commit_version, tagged};
use crate::catalog::{After, ListEntry, ListQuery, Store};
use crate::entropy::Entropy;

pub(in crate::catalog) async fn objects_are_listed_as_the_model_lists_them(store: &dyn Store) {
    let world = World::new(store, 201).await;
    let (bucket, empty) = (world.bucket("docs").await, world.bucket("empty").await);
    let keys = random_keys(&world.chance, 80);
    let mut current = BTreeMap::new();
    for key in &keys {
        // Some keys have a past.
        for sequence in 1..=1 + pick(&world.chance, 3) as u64 {
            let mut commit = world.put(bucket, key, sequence, world.inline(192), &[]);
            let mut row = commit.version.row().clone();
            row.is_null = false;
            current.insert(key.clone(), row.version);
            commit.version = tagged(row, 1);
            world.done(commit_version(commit)).await;
        }
    }
    let model = Model(keys.into_iter().map(|key| (key, None)).collect());
    for case in 0..400 {
        let query = random_query(&world.chance, &model);
        let (entries, truncated) = objects(&world, bucket, &query).await;
        assert_eq!(
            (entries, truncated),
            model.list(&query),
            "{case}: {query:?}"
        );
    }
    for case in 0..60 {
        let mut query = random_query(&world.chance, &model);
        query.after = None;
        let (mut paged, mut more) = (Vec::new(), true);
        let step = 1 + pick(&world.chance, 4) as u32;
        while more {
            query.max = step;
            let (entries, truncated) = objects(&world, bucket, &query).await;
            assert_eq!(
                entries.len() as u32 == step,
                truncated || entries.len() as u32 == step
            );
            query.after = entries.last().map(Line::after);
            paged.extend(entries);
            more = truncated;
        }
        (query.after, query.max) = (None, 1_000);
        assert_eq!((paged, false), model.list(&query), "{case}: {query:?}");
    }
    let query = ListQuery {
        max: 1_000,
        ..ListQuery::default()
    };
    assert_eq!(objects(&world, empty, &query).await, (vec![], false));
    let listed = store.list(world.org, bucket, &query).await.expect("a page");
    let listed = listed.entries.into_iter().map(|entry| match entry {
        ListEntry::Row(row) => (
            row.unverified().key.as_str().to_owned(),
            row.unverified().version,
        ),
        ListEntry::CommonPrefix(prefix) => panic!("{prefix} without a delimiter"),
    });
    assert!(listed.eq(current), "the current versions");
}

pub(in crate::catalog) async fn uploads_are_listed_as_the_model_lists_them(store: &dyn Store) {
    let world = World::new(store, 211).await;
    let bucket = world.bucket("docs").await;
    let mut uploads = BTreeSet::new();
    for key in random_keys(&world.chance, 40) {
        for _ in 0..=pick(&world.chance, 3) {
            uploads.insert((key.clone(), Some(world.upload(bucket, &key).await)));
        }
    }
    let model = Model(uploads);
    for case in 0..400 {
        let query = random_query(&world.chance, &model);
        let page = uploads_of(&world, bucket, &query).await;
        assert_eq!(page, model.list(&query), "{case}: {query:?}");
    }
    for case in 0..60 {
        let mut query = random_query(&world.chance, &model);
        (query.after, query.max) = (None, 1 + pick(&world.chance, 4) as u32);
        let (mut paged, mut more) = (Vec::new(), true);
        while more {
            let (entries, truncated) = uploads_of(&world, bucket, &query).await;
            query.after = entries.last().map(Line::after);
            paged.extend(entries);
            more = truncated;
        }
        (query.after, query.max) = (None, 1_000);
        assert_eq!((paged, false), model.list(&query), "{case}: {query:?}");
    }
}

pub(in crate::catalog) async fn common_prefixes_end_where_they_should(store: &dyn Store) {
    let world = World::new(store, 221).await;
    let bucket = world.bucket("docs").await;
    // The delimiter's last byte is 0xbf, the highest that UTF-8 ends with: the next place after
    // it is no UTF-8 itself.
    let high = "\u{7ff}";
    for key in [
        format!("a{high}1"),
        format!("a{high}{high}"),
        format!("a{}", '\u{800}'),
        "a".to_owned(),
        "a\u{10ffff}".to_owned(),
        "photos/2006/x".to_owned(),
        "photos/2007/y".to_owned(),
        "photos".to_owned(),
        "photos/".to_owned(),
    ] {
        world.object(bucket, &key, 1).await;
    }
    let list = |prefix: &'static str, delimiter: &'static str, after: Option<After>| {
        let query = ListQuery {
            prefix: KeyPrefix::parse(prefix).expect("a prefix"),
            delimiter: Some(delimiter.to_owned()),
            after,
            max: 1_000,
        };
        let world = &world;
        async move { objects(world, bucket, &query).await.0 }
    };
    assert_eq!(
        list("a", high, None).await,
        [
            Line::row("a"),
            Line::prefix(&format!("a{high}")),
            Line::row(&format!("a{}", '\u{800}')),
            Line::row("a\u{10ffff}"),
        ]
    );
    assert_eq!(
        list("photos", "/", None).await,
        [Line::row("photos"), Line::prefix("photos/")]
    );
    assert_eq!(
        list("photos/", "/", None).await,
        [
            Line::row("photos/"),
            Line::prefix("photos/2006/"),
            Line::prefix("photos/2007/"),
        ]
    );
    // As Amazon does: a key below a common prefix does not hide the prefix, the prefix itself
    // does.
    let below = After::Key("photos/2006/a".to_owned());
    assert_eq!(
        list("photos/", "/", Some(below)).await,
        [Line::prefix("photos/2006/"), Line::prefix("photos/2007/")]
    );
    let behind = After::Prefix("photos/2006/".to_owned());
    assert_eq!(
        list("photos/", "/", Some(behind)).await,
        [Line::prefix("photos/2007/")]
    );
    assert_eq!(
        list("", "/", Some(After::Prefix("photos/".to_owned()))).await,
        []
    );
}

/// A line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Row(String, Option<UploadId>),
    Prefix(String),
}

impl Line {
    fn row(key: &str) -> Self {
        Self::Row(key.to_owned(), None)
    }

    fn prefix(prefix: &str) -> Self {
        Self::Prefix(prefix.to_owned())
    }

    /// Where a listing that ends here goes on.
    fn after(&self) -> After {
        match self {
            Self::Row(key, None) => After::Key(key.clone()),
            Self::Row(key, Some(upload)) => After::Upload(key.clone(), *upload),
            Self::Prefix(prefix) => After::Prefix(prefix.clone()),
        }
    }
}

/// Everything there is, in order.
struct Model(BTreeSet<(String, Option<UploadId>)>);

impl Model {
    fn list(&self, query: &ListQuery) -> (Vec<Line>, bool) {
        let prefix = query.prefix.as_str();
        let mut lines: Vec<Line> = Vec::new();
        for (key, upload) in &self.0 {
            let passed = match &query.after {
                None => false,
                Some(After::Key(after)) => key <= after,
                Some(After::Prefix(after)) => key < after || key.starts_with(after),
                Some(After::Upload(after, last)) => (key, *upload) <= (after, Some(*last)),
            };
            if passed || !key.starts_with(prefix) {
                continue;
            }
            let line = match query.delimiter.as_deref() {
                Some(delimiter) if !delimiter.is_empty() => {
                    match key[prefix.len()..].find(delimiter) {
                        Some(at) => Line::prefix(&key[..prefix.len() + at + delimiter.len()]),
                        None => Line::Row(key.clone(), *upload),
                    }
                }
                _ => Line::Row(key.clone(), *upload),
            };
            if lines.last() != Some(&line) {
                lines.push(line);
            }
        }
        let truncated = query.max > 0 && lines.len() > query.max as usize;
        lines.truncate(query.max as usize);
        (lines, truncated)
    }
}

async fn objects(world: &World<'_>, bucket: BucketId, query: &ListQuery) -> (Vec<Line>, bool) {
    let listed = world.store.list(world.org, bucket, query).await;
    let listed = listed.expect("a page");
    let lines = listed.entries.into_iter().map(|entry| match entry {
        ListEntry::Row(row) => Line::row(row.unverified().key.as_str()),
        ListEntry::CommonPrefix(prefix) => Line::Prefix(prefix),
    });
    (lines.collect(), listed.truncated)
}

async fn uploads_of(world: &World<'_>, bucket: BucketId, query: &ListQuery) -> (Vec<Line>, bool) {
    let listed = world.store.uploads(world.org, bucket, query).await;
    let listed = listed.expect("a page");
    let lines = listed.entries.into_iter().map(|entry| match entry {
        ListEntry::Row(row) => {
            let row = row.unverified();
            Line::Row(row.key.as_str().to_owned(), Some(row.upload))
        }
        ListEntry::CommonPrefix(prefix) => Line::Prefix(prefix),
    });
    (lines.collect(), listed.truncated)
}

fn random_query(chance: &Entropy, model: &Model) -> ListQuery {
    let key = |chance: &Entropy| {
        let at = pick(chance, model.0.len());
        let (key, upload) = model.0.iter().nth(at).expect("a key");
        (key.clone(), *upload)
    };
    let cut = |chance: &Entropy, key: &str| {
        let ends: Vec<_> = key.char_indices().map(|(at, _)| at).collect();
        key[..ends[pick(chance, ends.len())]].to_owned()
    };
    let prefix = match pick(chance, 3) {
        0 => String::new(),
        1 => random_key(chance, 2),
        _ => cut(chance, &key(chance).0),
    };
    let delimiters = ["", "/", "//", "é", "\u{7ff}", "\u{10ffff}", "ab", "\0"];
    let delimiter = match pick(chance, 10) {
        n if n < delimiters.len() => Some(delimiters[n].to_owned()),
        _ => None,
    };
    let after = match pick(chance, 6) {
        0 => Some(After::Key(key(chance).0)),
        1 => Some(After::Key(random_key(chance, 3))),
        2 => Some(After::Prefix(random_key(chance, 2))),
        3 => Some(After::Prefix(cut(chance, &key(chance).0) + "/")),
        4 => match key(chance) {
            (key, Some(upload)) => Some(After::Upload(key, upload)),
            (key, None) => Some(After::Key(key)),
        },
        _ => None,
    };
    ListQuery {
        prefix: KeyPrefix::parse(&prefix).expect("a prefix"),
        delimiter,
        after,
        max: [0, 1, 2, 5, 1_000][pick(chance, 5)],
    }
}

fn random_keys(chance: &Entropy, count: usize) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    while keys.len() < count {
        keys.insert(random_key(chance, 6));
    }
    keys
}

/// From few pieces, so that keys share beginnings.
fn random_key(chance: &Entropy, pieces_max: usize) -> String {
    const PIECES: [&str; 10] = [
        "a",
        "b",
        "ab",
        "/",
        "/",
        "é",
        "\u{7ff}",
        "\u{10ffff}",
        "\0",
        "-",
    ];
    let pieces = 1 + pick(chance, pieces_max);
    (0..pieces)
        .map(|_| PIECES[pick(chance, PIECES.len())])
        .collect()
}

fn pick(chance: &Entropy, below: usize) -> usize {
    (u64::from_be_bytes(chance.bytes()) % below as u64) as usize
}
