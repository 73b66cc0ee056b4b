use std::os::unix::fs::symlink;
use std::time::Duration;

use super::{load, refusal};
use crate::config::{Blobs, Config};

#[test]
fn quantities_are_strict() {
    let size = |text: &str| {
        load(&format!("[drive]\nmemory_max = \"{text}\"\n"), &[]).map(|c| c.drive.memory_max)
    };
    assert_eq!(size("16 MiB"), Ok(16 << 20));
    assert_eq!(size("1TiB"), Ok(1 << 40));
    assert_eq!(size("33554432 B"), Ok(32 << 20));
    for odd in [
        "",
        "MiB",
        "16",
        "16  MiB",
        "16 mib",
        "1.5 GiB",
        "-1 GiB",
        "16 MiB ",
        "99999999 TiB",
    ] {
        assert!(size(odd).is_err(), "{odd:?}");
    }
    let delay = |text: &str| {
        load(&format!("[drive]\ntrash_delay = \"{text}\"\n"), &[]).map(|c| c.drive.trash_delay)
    };
    assert_eq!(delay("15m"), Ok(Duration::from_secs(900)));
    assert_eq!(delay("0s"), Ok(Duration::ZERO));
    assert_eq!(delay("2 d"), Ok(Duration::from_secs(172_800)));
    for odd in ["15", "15 min", "m", "1h30m", "+1s", "99999999999999999999s"] {
        assert!(delay(odd).is_err(), "{odd:?}");
    }
}

#[test]
fn secrets_come_by_file_or_variable_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("token");
    std::fs::write(&file, "0123456789abcdef\n").expect("written");
    let by_file = format!("[control]\noperator_token_file = {file:?}\n");
    let variable = ("BULKHEAD_CONTROL_OPERATOR_TOKEN", "fedcba9876543210");
    let token = |config: Config| config.operator_token.map(|t| t.expose().to_owned());

    assert_eq!(
        token(load(&by_file, &[]).expect("by file")).as_deref(),
        Some("0123456789abcdef")
    );
    assert_eq!(
        token(load("", &[variable]).expect("by variable")).as_deref(),
        Some(variable.1)
    );
    assert!(refusal(&by_file, &[variable]).contains("also given by b.toml:2:1"));

    let inline = refusal("[control]\noperator_token = \"0123456789abcdef\"\n", &[]);
    assert!(
        inline.starts_with("b.toml:2:1: a secret does not stand in this file"),
        "{inline}"
    );
    assert!(
        inline.contains("BULKHEAD_CONTROL_OPERATOR_TOKEN"),
        "{inline}"
    );
    for weak in ["", "short", "with spaces inside it"] {
        let error = refusal("", &[(variable.0, weak)]);
        assert!(weak.is_empty() || !error.contains(weak), "{error}");
    }
    let gone = refusal(
        "[control]\noperator_token_file = \"/nonexistent/token\"\n",
        &[],
    );
    assert!(
        gone.starts_with("cannot read /nonexistent/token: "),
        "{gone}"
    );
}

#[test]
fn blobs_take_the_settings_of_their_kind() {
    let s3 = "[blobs]\nkind = \"s3\"\nendpoint = \"http://127.0.0.1:9\"\nbucket = \"b\"\n\
              access_key_id = \"id\"\n";
    let secret = ("BULKHEAD_BLOBS_SECRET_ACCESS_KEY", "s3cret");
    assert!(refusal(s3, &[secret]).contains("is not https"));
    let allowed = ("BULKHEAD_BLOBS_ALLOW_HTTP", "true");
    assert!(refusal(s3, &[allowed]).contains("BULKHEAD_BLOBS_SECRET_ACCESS_KEY"));
    let Blobs::S3(s3) = load(s3, &[secret, allowed]).expect("accepted").blobs else {
        panic!("not s3");
    };
    assert_eq!(
        (s3.bucket.as_str(), s3.secret_access_key.expose()),
        ("b", "s3cret")
    );

    assert!(refusal("[blobs]\nkind = \"s3\"\n", &[secret]).contains("[blobs] endpoint: kind"));
    let stray = refusal("[blobs]\nbucket = \"b\"\n", &[]);
    assert!(
        stray.starts_with("b.toml:2:1: [blobs] bucket: `bucket` belongs to"),
        "{stray}"
    );
    assert!(refusal("", &[secret]).starts_with("variable BULKHEAD_BLOBS_SECRET_ACCESS_KEY: "));
    assert!(matches!(
        load("[blobs]\nkind = \"memory\"\n", &[])
            .expect("accepted")
            .blobs,
        Blobs::Memory
    ));
    assert!(refusal("[blobs]\nkind = \"memory\"\npath = \"x\"\n", &[]).contains("belongs to"));
}

#[test]
fn the_root_key_stands_outside_the_data_whatever_links_say() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("data")).expect("made");
    symlink("data", at("alias")).expect("linked");
    symlink(at("data/new.key"), at("dangling.key")).expect("linked");
    symlink(at("loop"), at("loop")).expect("linked");
    let with_root = |file: &str| {
        let text = format!(
            "[data]\ndir = {:?}\n[root]\nfile = {:?}\n",
            at("data"),
            at(file)
        );
        load(&text, &[]).map(|_| ())
    };
    assert_eq!(with_root("root.key"), Ok(()));
    assert_eq!(with_root("data-root.key"), Ok(()));
    assert_eq!(with_root("data/../root.key"), Ok(()));
    for inside in [
        "data",
        "data/root.key",
        "data/deep/er/root.key",
        "other/../data/root.key",
        "alias/root.key",
        "dangling.key",
    ] {
        let error = with_root(inside).expect_err(inside);
        assert!(error.starts_with("b.toml:4:1: [root] file: "), "{error}");
    }
    assert!(with_root("loop").is_err());

    // The same for blobs that live elsewhere, and for the checkpoints.
    let text = format!(
        "[blobs]\npath = {:?}\n[root]\nfile = {:?}\n",
        at("b"),
        at("b/root.key")
    );
    assert!(refusal(&text, &[]).contains("[root] file"));
    let text = format!(
        "[data]\ndir = {:?}\n[audit]\ncheckpoint_file = {:?}\n",
        at("data"),
        at("alias/c")
    );
    assert!(refusal(&text, &[]).contains("[audit] checkpoint_file"));
    let text = "[audit]\ncheckpoint_file = \"./bulkhead-root.key\"\n";
    assert!(refusal(text, &[]).contains("serves another purpose"));
}
