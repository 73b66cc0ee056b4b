use names::{SecretPath, SecretPrefix};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

fn path(text: &str) -> SecretPath {
    SecretPath::parse(text).unwrap()
}

fn folder(text: &str) -> Target {
    Target::Folder(SecretPrefix::parse(text).unwrap())
}

#[test]
fn paths_name_what_they_show() {
    for (sent, target) in [
        ("secret/data/a", Target::Secret(Place::Data, path("a"))),
        (
            "secret/data/a/b+c",
            Target::Secret(Place::Data, path("a/b+c")),
        ),
        (
            "secret/data/b%C3%A4r/%20",
            Target::Secret(Place::Data, path("b\u{e4}r/ ")),
        ),
        (
            "secret/data/a%2Fb%2fc",
            Target::Secret(Place::Data, path("a/b/c")),
        ),
        (
            "secret/data/%252f",
            Target::Secret(Place::Data, path("%2f")),
        ),
        (
            "secret/data/data",
            Target::Secret(Place::Data, path("data")),
        ),
        (
            "secret/metadata/a",
            Target::Secret(Place::Metadata, path("a")),
        ),
        ("secret/metadata/a/", folder("a/")),
        ("secret/metadata/a//", folder("a/")),
        ("secret/metadata/a%2Fb%2F/", folder("a/b/")),
        ("secret/metadata/", folder("")),
        ("secret/metadata//", folder("")),
        ("secret/metadata", folder("")),
        (
            "secret/destroy/a",
            Target::Secret(Place::Destroy, path("a")),
        ),
        ("secret/config", Target::Only(Place::Config)),
        ("sys/health", Target::Only(Place::Health)),
        ("auth/token/create", Target::Only(Place::CreateToken)),
        ("auth/token/create-orphan", Target::Only(Place::CreateToken)),
        ("auth/token/create/role", Target::Only(Place::CreateToken)),
        ("sys/internal/ui/mounts", Target::Only(Place::UiMounts)),
        (
            "sys/internal/ui/mounts/secret",
            Target::MountOf { is_ours: true },
        ),
        (
            "sys/internal/ui/mounts/secret/a/b",
            Target::MountOf { is_ours: true },
        ),
        (
            "sys/internal/ui/mounts/secrets",
            Target::MountOf { is_ours: false },
        ),
        (
            "sys/internal/ui/mounts/",
            Target::MountOf { is_ours: false },
        ),
    ] {
        assert_eq!(Target::parse(sent), Ok(target), "{sent}");
    }
    let listed = |sent| Target::parse(sent).unwrap().listed();
    assert_eq!(listed("secret/metadata/a"), Ok(folder("a/")));
    assert_eq!(listed("secret/metadata/a/"), Ok(folder("a/")));
    assert_eq!(listed("secret/metadata"), Ok(folder("")));
}

#[test]
fn paths_in_a_body_are_as_they_are() {
    for sent in ["secret/data/a%2fb", "/secret/data/a%2fb"] {
        let target = Target::Secret(Place::Data, path("a%2fb"));
        assert_eq!(Target::named(sent), Ok(target));
    }
    assert!(Target::named("//secret/data/a").is_err());

    let parse = |body: &str| parse_paths(body.as_bytes());
    for (body, paths) in [
        (r#"{"paths":["a,b"," c "]}"#, vec!["a,b", "c"]),
        (r#"{"paths":"a,b"}"#, vec!["a", "b"]),
        (r#"{"path":"a"}"#, vec!["a"]),
        (r#"{"path":["a"],"paths":["b"]}"#, vec!["b"]),
    ] {
        assert_eq!(parse(body).unwrap(), paths, "{body}");
    }
    for body in [
        "{}",
        r#"{"path":""}"#,
        r#"{"paths":[""]}"#,
        r#"{"path":1}"#,
        "[]",
    ] {
        assert!(parse(body).is_err(), "{body}");
    }
    let many = |count: usize| parse(&format!(r#"{{"paths":"a{}"}}"#, ",a".repeat(count - 1)));
    assert_eq!(many(512).unwrap().len(), 512);
    assert!(many(513).is_err());
}

#[test]
fn what_is_no_path_names_nothing() {
    let deep = format!("secret/data/{}", "a/".repeat(10_000));
    for sent in [
        "secret/data",
        "secret/data/",
        "secret/data//a",
        "secret/data/a/",
        "secret/data/a//b",
        "secret/data/%2F",
        "secret/data/a%2F",
        "secret/data/a%2F/b",
        "secret/data/a%2F..%2Fb",
        "secret/data/..",
        "secret/data/../a",
        "secret/data/a/%2e%2E/b",
        "secret/data/a/.%2e",
        "secret/data/a*",
        "secret/data/%2a",
        "secret/data/a?",
        "secret/data/a%00",
        "secret/data/a%5cb",
        "secret/data/%ff",
        "secret/metadata///",
        "secret/metadata//a/",
        "secret/metadata/a///",
        "secret/metadata/a//b/",
        "secret/metadata/../",
        "secret/metadata/%2e%2e/",
        "secret/metadata/..%2f",
        "secret/metadata/%2Fa/",
        &deep,
    ] {
        let parsed = Target::parse(sent);
        assert!(
            matches!(parsed, Err(InvalidTarget::Path(_))),
            "{sent}: {parsed:?}"
        );
    }
    for sent in [
        "",
        "/",
        "secret",
        "secret/",
        "secret/a",
        "secret/Data/a",
        "%73ecret/data/a",
        "secret%2fdata/a",
        "kv/data/a",
        "../secret/data/a",
        "secret/../secret/data/a",
        "secret/config/",
        "sys/health/",
        "auth/token/lookup-self/",
        "auth/token/revoke-accessor",
        "sys/internal/ui/mounts%2fsecret",
        "root/secret/data/a",
    ] {
        assert_eq!(
            Target::parse(sent),
            Err(InvalidTarget::NoSuchPlace),
            "{sent}"
        );
    }
}

proptest! {
    #[test]
    fn no_path_panics_and_what_is_named_is_a_path(sent in "(secret/)?(data|metadata|delete|x)?/?[a-c./%*+2Fe\u{e4}]{0,12}") {
        match Target::parse(&sent) {
            Ok(Target::Secret(_, path)) => {
                let shown = path.as_str();
                prop_assert!(SecretPath::parse(shown).is_ok());
                prop_assert!(!shown.starts_with('/') && !shown.ends_with('/'));
                prop_assert!(!shown.split('/').any(|segment| matches!(segment, "" | "." | "..")));
                // As many segments as were sent, encoded or not: what is decoded once stays so.
                let segments = sent.splitn(3, '/').nth(2).unwrap().replace("%2F", "/");
                prop_assert_eq!(segments.split('/').count(), shown.split('/').count());
            }
            Ok(Target::Folder(prefix)) => {
                let shown = prefix.as_str();
                prop_assert!(shown.is_empty() || shown.ends_with('/') && !shown.starts_with('/'));
            }
            Ok(_) | Err(_) => {}
        }
    }

    #[test]
    fn every_path_of_a_secret_is_reached_by_its_encoding(segments in prop::collection::vec("[^/*?\\\\\\p{C}]{1,8}", 1..6)) {
        let text = segments.join("/");
        prop_assume!(SecretPath::parse(&text).is_ok());
        let encoded: Vec<_> = segments
            .iter()
            .map(|segment| utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string())
            .collect();
        let parsed = Target::parse(&format!("secret/data/{}", encoded.join("/")));
        prop_assert_eq!(parsed, Ok(Target::Secret(Place::Data, path(&text))));
    }

    #[test]
    fn a_merge_is_what_the_rfc_says(target in object(), patch in object()) {
        let (target_text, patch_text) = (target.to_string(), patch.to_string());
        let text = merged(
            Object::parse(&target_text).unwrap(),
            Object::parse(&patch_text).unwrap(),
        );
        prop_assert!(text.len() <= target_text.len() + patch_text.len());
        prop_assert!(Object::parse(&text).is_some());
        let merged: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(merged, by_the_rfc(target, &patch));
    }
}

/// RFC 7396, section 2, as it stands there.
fn by_the_rfc(target: serde_json::Value, patch: &serde_json::Value) -> serde_json::Value {
    let serde_json::Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut members = match target {
        serde_json::Value::Object(members) => members,
        _ => serde_json::Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            let before = members.remove(name).unwrap_or_default();
            members.insert(name.clone(), by_the_rfc(before, value));
        }
    }
    members.into()
}

fn object() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        "[a\"\\\\\u{7f}\u{e4}]{0,3}".prop_map(Into::into),
        Just(serde_json::json!([1, null, {"a": null}])),
    ];
    let member = leaf.prop_recursive(3, 20, 4, |inner| {
        prop::collection::btree_map("[a-c\"]", inner, 0..4)
            .prop_map(|members| serde_json::Value::Object(members.into_iter().collect()))
    });
    prop::collection::btree_map("[a-c\"]", member, 0..4)
        .prop_map(|members| serde_json::Value::Object(members.into_iter().collect()))
}

#[test]
fn a_merge_keeps_what_it_does_not_name_byte_for_byte() {
    let target = Object::parse(r#"{"n": 1.00e2, "t": "\u00e9", "o": { "a" : 1 }, "gone": 1}"#);
    let patch = Object::parse(r#"{"gone": null, "o": {"b": {"c": null, "d": 2}}, "never": null}"#);
    let text = merged(target.unwrap(), patch.unwrap());
    assert_eq!(
        *text,
        r#"{"n":1.00e2,"t":"\u00e9","o":{"a":1,"b":{"d":2}}}"#
    );
}

#[test]
fn names_are_shown_and_values_are_not() {
    let object = Object::parse(r#"{"a":"hunter2","b":{"c":{"d":1},"e":[{"f":1}]},"g":{}}"#);
    let shown = |depth| subkeys(object.unwrap(), depth).get().to_owned();
    assert_eq!(
        shown(None),
        r#"{"a":null,"b":{"c":{"d":null},"e":null},"g":{}}"#
    );
    assert_eq!(
        shown(Some(2)),
        r#"{"a":null,"b":{"c":null,"e":null},"g":{}}"#
    );
    assert_eq!(shown(Some(1)), r#"{"a":null,"b":null,"g":null}"#);
}

#[test]
fn an_object_is_one_through_and_through() {
    for good in [
        "{}",
        r#" {"a": 1} "#,
        r#"{"a":{"b":[1,-1,1.5,true,null,"x"]},"c":{"b":1}}"#,
        r#"{"a":12345678901234567890123}"#,
    ] {
        assert!(Object::parse(good).is_some(), "{good}");
    }
    let deep = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    assert!(Object::parse(&deep(120)).is_some());
    for bad in [
        "",
        "[]",
        "1",
        "null",
        "{",
        "{} {}",
        r#"{"a":1,"a":2}"#,
        r#"{"a":{"b":1,"\u0062":2}}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":1e999}"#,
        "{\"a\":\"\n\"}",
        &deep(100_000),
    ] {
        assert!(
            Object::parse(bad).is_none(),
            "{}",
            &bad[..bad.len().min(40)]
        );
    }
    let shown = format!("{:?}", Object::parse(r#"{"a":"hunter2"}"#));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn bodies_say_what_they_have_to_and_errors_quote_nothing() {
    let body = br#"{"data":{"a":"b"},"options":{"cas":"3"},"other":1}"#;
    let write = ValueWrite::parse(body).unwrap();
    assert_eq!(write.cas, Some(3));
    assert_eq!(write.data.expose().get(), r#"{"a":"b"}"#);
    let cas = |body: &str| ValueWrite::parse(body.as_bytes()).unwrap().cas;
    assert_eq!(cas(r#"{"data":{},"options":{"cas":0}}"#), Some(0));
    assert_eq!(cas(r#"{"data":{},"options":{}}"#), None);
    assert_eq!(cas(r#"{"data":{},"options":null}"#), None);
    for nothing in ["", " \n", "{}"] {
        let refused = ValueWrite::parse(nothing.as_bytes()).unwrap_err();
        assert_eq!(refused.to_string(), "no data provided", "{nothing:?}");
    }
    for bad in [
        "{",
        "[]",
        r#"[{"a":1}]"#,
        r#"{"data":null}"#,
        r#"{"data":"hunter2"}"#,
        r#"{"data":{"a":1,"a":"hunter2"}}"#,
        r#"{"data":{},"data":{}}"#,
        r#"{"data":{},"options":{"cas":-1}}"#,
        r#"{"data":{},"options":[1]}"#,
        r#"{"data":{},"options":{"cas":"hunter2"}}"#,
        r#"{"data":{},"options":{"cas":1.5}}"#,
        r#"{"data":{}} x"#,
    ] {
        let error = ValueWrite::parse(bad.as_bytes()).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{bad}: {error}");
    }
    for good in [r#"{"versions":[1,"2"]}"#, r#"{"versions":"1, 2"}"#] {
        assert_eq!(parse_versions(good.as_bytes()), Ok(vec![1, 2]));
    }
    for bad in [
        "{}",
        r#"{"versions":[]}"#,
        r#"{"versions":["x"]}"#,
        r#"{"versions":1}"#,
        r#"{"versions":""}"#,
        r#"{"versions":"1,,2"}"#,
        r#"{"versions":[-1]}"#,
    ] {
        assert!(parse_versions(bad.as_bytes()).is_err(), "{bad}");
    }
    for bad in ["[]", "[5]", "1", "null", "{} x"] {
        assert!(MetadataChange::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    let body = br#"{"max_versions":"5","cas_required":null,"delete_version_after":"90m",
        "custom_metadata":{"a":"b","c":null}}"#;
    let change = MetadataChange::parse(body).unwrap();
    assert_eq!(change.max_versions, Field::Given(Number(5)));
    assert_eq!(change.cas_required, Field::Null);
    assert_eq!(
        change.delete_version_after,
        Field::Given(Milliseconds(5_400_000))
    );
    let flag = |text: &str| {
        let body = format!(r#"{{"cas_required":{text}}}"#);
        MetadataChange::parse(body.as_bytes()).map(|change| change.cas_required)
    };
    for good in ["true", r#""true""#] {
        assert_eq!(flag(good), Ok(Field::Given(Flag(true))));
    }
    assert!(flag(r#""yes""#).is_err() && flag("1").is_err());
    let change = MetadataChange::parse(b"{\"delete_version_after\":30}").unwrap();
    assert_eq!(
        change.delete_version_after,
        Field::Given(Milliseconds(30_000))
    );
    assert_eq!(change.custom_metadata, Field::Absent);
}

#[test]
fn durations_are_read_and_written_as_gos() {
    for (text, ms) in [
        ("0", 0),
        ("0s", 0),
        ("30", 30_000),
        ("3h25m19s", 12_319_000),
        ("1.5h", 5_400_000),
        ("500ms", 500),
        ("1us", 0),
        ("7d", 604_800_000),
        (".5s", 500),
    ] {
        assert_eq!(parse_duration(text), Some(ms), "{text}");
    }
    for bad in [
        "-1",
        "-1s",
        "s",
        "",
        "1x",
        "1s ",
        ".s",
        "1e3s",
        "99999999999999999999",
        "101000d",
        "999999999999999999999999d",
    ] {
        assert_eq!(parse_duration(bad), None, "{bad}");
    }
    for (ms, text) in [
        (0, "0s"),
        (500, "500ms"),
        (1_500, "1.5s"),
        (60_000, "1m0s"),
        (12_319_000, "3h25m19s"),
        (90_061_001, "25h1m1.001s"),
    ] {
        assert_eq!(format_duration(ms), text);
        assert_eq!(parse_duration(text), Some(ms));
    }
}

#[test]
fn queries_are_read_strictly_where_they_are_known() {
    let parse = |query| Query::parse(query).unwrap();
    assert_eq!(parse(""), Query::default());
    assert_eq!(parse("version=0&x=%ff%"), Query::default());
    assert_eq!(parse("version=3&depth=2").version, Some(3));
    assert_eq!(parse("version=3&depth=2").depth, Some(2));
    assert!(
        parse("list=true").is_list && parse("lis%74=1").is_list && !parse("list=false").is_list
    );
    for bad in [
        "version=-1",
        "version=x",
        "version=1&version=2",
        "list=yes",
        "list=true&list=",
    ] {
        assert!(Query::parse(bad).is_err(), "{bad}");
    }
}
