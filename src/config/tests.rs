use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::load::Sections;
use super::tree::Tree;
use super::{Blobs, Config, LogFormat};

const EXAMPLE: &str = include_str!("../../config/example.toml");

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_sources(Some((Path::new("b.toml"), text)), variables)
        .map_err(|error| error.to_string())
}

fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    load(text, variables).err().expect("refused")
}

#[test]
fn defaults_need_no_file() {
    let config = Config::from_sources(None, []).expect("defaults");
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(config.drive.inline_max, 16_384);
    assert!(config.operator_token.is_none());
    assert_eq!(
        config.catalog_path(),
        Path::new("./bulkhead-data/catalog.sqlite")
    );
    assert!(
        matches!(config.blobs, Blobs::Disk { path } if path == Path::new("./bulkhead-data/blobs"))
    );
}

#[test]
fn the_example_is_the_defaults() {
    let tree = Tree::parse(Path::new("example.toml"), EXAMPLE).expect("parses");
    let example = Sections::deserialize(&tree).expect("fits");
    assert_eq!(example, Sections::default());
    assert!(load(EXAMPLE, &[]).is_ok());
}

#[test]
fn the_example_shows_every_setting_in_its_section() {
    let shown = shown_in_example();
    let mut known = BTreeMap::new();
    for (section, keys) in schema() {
        known.insert(
            section.to_owned(),
            keys.iter().map(|k| (*k).to_owned()).collect(),
        );
    }
    assert_eq!(shown, known);
}

#[test]
fn what_the_example_comments_out_is_well_formed() {
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if is_setting(setting) || setting.starts_with("[[") => {
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let tree = Tree::parse(Path::new("example.toml"), &uncommented).expect("parses");
    assert!(Sections::deserialize(&tree).is_ok());
}

#[test]
fn errors_name_file_line_and_column() {
    for (text, expected) in [
        (
            "[api]\n\nlistn = 1\n",
            "b.toml:3:1: unknown setting `listn`, expected one of: listen,",
        ),
        ("\n[apy]\nx = 1\n", "b.toml:2:2: unknown setting `apy`"),
        (
            "[api]\nlisten = \"nowhere\"\n",
            "b.toml:2:1: invalid socket address",
        ),
        (
            "[api]\nlisten = 9000\n",
            "b.toml:2:1: invalid type: integer `9000`",
        ),
        (
            "[drive]\ninline_max = \"16 KB\"\n",
            "b.toml:2:1: invalid value: string \"16 KB\"",
        ),
        (
            "[drive]\ninline_max = 16384\n",
            "b.toml:2:1: invalid type: integer `16384`",
        ),
        (
            "[drive]\nopaque_etags = \"yes\"\n",
            "b.toml:2:1: invalid type: string \"yes\"",
        ),
        (
            "[net]\nstreams_max = -1\n",
            "b.toml:2:1: invalid type: integer out of range",
        ),
        (
            "[net]\nstreams_max = 5000000000\n",
            "b.toml:2:1: invalid value: integer `5000000000`",
        ),
        (
            "[net]\n  header_timeout = \"0s\"\n",
            "b.toml:2:3: [net] header_timeout: must be more",
        ),
        (
            "[log]\nformat = \"xml\"\n",
            "b.toml:2:1: unknown variant `xml`",
        ),
        ("[log]\nlevel = \"a=b=c\"\n", "b.toml:2:1: [log] level: "),
        ("[api]\nlisten = \n", "b.toml:2:"),
        (
            "[api]\nregion = \"a\"\nregion = \"b\"\n",
            "b.toml:3:1: duplicate key",
        ),
        (
            "listen = \"x\"\n",
            "b.toml:1:1: `listen` stands outside a [section]",
        ),
        (
            "[api.listen]\nport = 1\n",
            "b.toml:1:6: invalid type: table",
        ),
        (
            "[api]\npublic_url = \"https://a/b\"\n",
            "b.toml:2:1: [api] public_url: ",
        ),
        (
            "[api]\ndomain = \"A.example\"\n",
            "b.toml:2:1: [api] domain: ",
        ),
        (
            "[control]\nlisten = \"127.0.0.1:9000\"\n",
            "b.toml:2:1: [control] listen: ",
        ),
        (
            "[audit]\nbatch_delay_max = \"2s\"\n",
            "b.toml:2:1: [audit] batch_delay_max: at most 1s",
        ),
    ] {
        let error = refusal(text, &[]);
        assert!(error.starts_with(expected), "{text:?} gave {error:?}");
    }
}

#[test]
fn a_variable_overrides_the_file_and_is_named_in_errors() {
    let text = "[api]\nlisten = \"127.0.0.1:1\"\n";
    let config = load(
        text,
        &[
            ("BULKHEAD_API_LISTEN", "127.0.0.1:2"),
            ("BULKHEAD_DRIVE_OPAQUE_ETAGS", "true"),
            ("BULKHEAD_CATALOG_READERS", "9"),
            ("BULKHEAD_DRIVE_TRASH_DELAY", "250ms"),
            ("BULKHEAD_LOG_FORMAT", "json"),
            // A value that looks like a number stays the text that the setting asks for.
            ("BULKHEAD_API_REGION", "123"),
            ("BULKHEAD_API_DOMAIN", "s3.example"),
            ("BULKHEAD_CONFIG", "elsewhere.toml"),
            ("PATH", "/bin"),
        ],
    )
    .expect("accepted");
    assert_eq!(config.api.listen.port(), 2);
    assert!(config.drive.opaque_etags);
    assert_eq!(config.catalog.readers, 9);
    assert_eq!(config.drive.trash_delay, Duration::from_millis(250));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.api.region, "123");
    assert_eq!(config.api.domain.as_deref(), Some("s3.example"));

    for (name, value, expected) in [
        (
            "BULKHEAD_API_LISTN",
            "x",
            "variable BULKHEAD_API_LISTN: unknown setting `listn`",
        ),
        (
            "BULKHEAD_APY_LISTEN",
            "x",
            "variable BULKHEAD_APY_LISTEN: unknown setting `apy`",
        ),
        (
            "BULKHEAD_LISTEN",
            "x",
            "variable BULKHEAD_LISTEN: unknown variable",
        ),
        (
            "BULKHEAD_CATALOG_READERS",
            "two",
            "variable BULKHEAD_CATALOG_READERS: invalid type",
        ),
        (
            "BULKHEAD_CATALOG_READERS",
            "0",
            "variable BULKHEAD_CATALOG_READERS: [catalog] readers",
        ),
        (
            "BULKHEAD_DRIVE_OPAQUE_ETAGS",
            "1",
            "variable BULKHEAD_DRIVE_OPAQUE_ETAGS: invalid type",
        ),
    ] {
        let error = refusal(text, &[(name, value)]);
        assert!(error.starts_with(expected), "{name} gave {error:?}");
    }
}

#[test]
fn variables_of_a_kubernetes_service_are_none_of_ours() {
    for name in [
        "BULKHEAD_SERVICE_HOST",
        "BULKHEAD_SERVICE_PORT_S3",
        "BULKHEAD_PORT",
        "BULKHEAD_PORT_9000_TCP_ADDR",
        "BULKHEAD_API_PORT_9000_TCP",
        "BULKHEAD_API_SERVICE_HOST",
    ] {
        assert!(load("", &[(name, "tcp://10.0.0.1:9000")]).is_ok(), "{name}");
    }
}

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

#[test]
fn providers_are_a_list_whose_errors_name_their_place() {
    let provider = |more: &str| {
        format!("[[oidc]]\nname = \"work\"\nissuer = \"https://login.example.com/a\"\n{more}")
    };
    let config = load(&provider(""), &[]).expect("accepted");
    let [work] = &config.oidc[..] else {
        panic!("one provider");
    };
    assert_eq!(
        (work.name.as_str(), work.issuer.as_str()),
        ("work", "https://login.example.com/a")
    );
    assert!(work.client_id.is_none() && work.client_secret.is_none());
    assert_eq!(work.audiences, ["urn:bulkhead:organization:{organization}"]);
    assert_eq!(work.id_token_signing_alg_values.len(), 9);

    let secret = ("BULKHEAD_OIDC_MY_WORK_CLIENT_SECRET", "s3cret");
    let text = "[[oidc]]\nname = \"my-work\"\nissuer = \"http://localhost:1\"\nclient_id = \"c\"\n";
    let config = load(text, &[secret]).expect("accepted");
    let given = config.oidc[0].client_secret.as_ref();
    assert_eq!(given.map(|secret| secret.expose()), Some("s3cret"));

    for (text, expected) in [
        (
            provider("clientid = \"c\"\n"),
            "b.toml:4:1: unknown setting `clientid`",
        ),
        (
            provider("audiences = [\"fixed\"]\n"),
            "b.toml:4:1: [[oidc]] audiences: each holds",
        ),
        (
            provider("audiences = [\"{organization}{organization}\"]\n"),
            "b.toml:4:1: [[oidc]] audiences: each holds",
        ),
        (
            provider("audiences = [1]\n"),
            "b.toml:4:1: invalid type: array of other than strings",
        ),
        (
            provider("id_token_signing_alg_values = [\"none\"]\n"),
            "b.toml:4:1: [[oidc]] id_token_signing_alg_values: of RS256",
        ),
        (
            provider("id_token_signing_alg_values = [\"HS256\"]\n"),
            "b.toml:4:1: [[oidc]] id_token_signing_alg_values: of RS256",
        ),
        (
            provider("id_token_signing_alg_values = []\n"),
            "b.toml:4:1: [[oidc]] id_token_signing_alg_values: of RS256",
        ),
        (
            provider("client_id = \"\"\n"),
            "b.toml:4:1: [[oidc]] client_id: not empty",
        ),
        (
            format!("{0}{0}", provider("")),
            "b.toml:5:1: [[oidc]] name: 1 to 63",
        ),
        (
            "[[oidc]]\n".to_owned(),
            "b.toml:1:1: [[oidc]] name: 1 to 63",
        ),
        (
            "[oidc]\nname = \"a\"\n".to_owned(),
            "b.toml:1:2: invalid type: map",
        ),
        (
            "oidc = [1]\n".to_owned(),
            "b.toml:1:1: `oidc` stands outside a [section]",
        ),
    ] {
        let error = refusal(&text, &[]);
        assert!(error.starts_with(expected), "{error}");
    }
    for issuer in [
        "http://login.example.com",
        "http://127.0.0.1.example.com",
        "https://login.example.com?x=1",
        "https://login.example.com/#a",
        "https://user@login.example.com",
        "ftp://login.example.com",
        "login.example.com",
        "",
    ] {
        let text = format!("[[oidc]]\nname = \"a\"\nissuer = {issuer:?}\n");
        let error = refusal(&text, &[]);
        assert!(
            error.starts_with("b.toml:3:1: [[oidc]] issuer: an https"),
            "{error}"
        );
    }
    let stray = refusal(&provider(""), &[secret]);
    assert!(
        stray.contains("MY_WORK_CLIENT_SECRET: no [[oidc]] has this name"),
        "{stray}"
    );
    let lonely = ("BULKHEAD_OIDC_WORK_CLIENT_SECRET", "s3cret");
    let lonely = refusal(&provider(""), &[lonely]);
    assert!(
        lonely.contains("client_id: the secret is of no use"),
        "{lonely}"
    );
    let variable = refusal(&provider(""), &[("BULKHEAD_OIDC_ISSUER", "https://a.b")]);
    assert!(
        variable.contains("[[oidc]] is set in the file alone"),
        "{variable}"
    );
}

/// The settings that the example shows, whether set or commented out, by section.
fn shown_in_example() -> BTreeMap<String, Vec<String>> {
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in EXAMPLE.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            // `[[oidc]]` is a section of a list.
            section = name.trim_matches(['[', ']']).to_owned();
        } else if is_setting(line) {
            let key = line.split(" = ").next().expect("split gives one part");
            shown
                .entry(section.clone())
                .or_default()
                .push(key.to_owned());
        }
    }
    shown
}

fn is_setting(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| {
        !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
    })
}

/// Sections and keys as serde knows them, in the order of their declaration: a deserializer that
/// gives no value but notes the fields that it is asked for.
fn schema() -> Vec<(&'static str, &'static [&'static str])> {
    struct Top<'a>(&'a mut Vec<(&'static str, &'static [&'static str])>);
    struct Section<'a>(
        &'static str,
        &'a mut Vec<(&'static str, &'static [&'static str])>,
    );
    struct Each<'a> {
        left: &'static [&'static str],
        found: &'a mut Vec<(&'static str, &'static [&'static str])>,
    }

    impl<'de> Deserializer<'de> for Top<'_> {
        type Error = ValueError;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ValueError> {
            Err(serde::de::Error::custom("settings are a struct"))
        }
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, ValueError> {
            visitor.visit_map(Each {
                left: fields,
                found: self.0,
            })
        }
        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    impl<'de> MapAccess<'de> for Each<'_> {
        type Error = ValueError;
        fn next_key_seed<K: DeserializeSeed<'de>>(
            &mut self,
            seed: K,
        ) -> Result<Option<K::Value>, ValueError> {
            match self.left.first() {
                Some(name) => seed.deserialize(StrDeserializer::new(name)).map(Some),
                None => Ok(None),
            }
        }
        fn next_value_seed<S: DeserializeSeed<'de>>(
            &mut self,
            seed: S,
        ) -> Result<S::Value, ValueError> {
            let (name, left) = self.left.split_first().expect("a key came before");
            self.left = left;
            seed.deserialize(Section(name, self.found))
        }
    }

    impl<'de> Deserializer<'de> for Section<'_> {
        type Error = ValueError;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ValueError> {
            Err(serde::de::Error::custom("a section is a struct"))
        }
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, ValueError> {
            self.1.push((self.0, fields));
            let none: [((), ()); 0] = [];
            visitor.visit_map(serde::de::value::MapDeserializer::new(none.into_iter()))
        }
        fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            visitor.visit_seq(One(Some(self)))
        }
        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct tuple tuple_struct map enum identifier ignored_any
        }
    }

    /// A list of one section.
    struct One<'a>(Option<Section<'a>>);

    impl<'de> SeqAccess<'de> for One<'_> {
        type Error = ValueError;
        fn next_element_seed<S: DeserializeSeed<'de>>(
            &mut self,
            seed: S,
        ) -> Result<Option<S::Value>, ValueError> {
            let section = self.0.take();
            section.map(|section| seed.deserialize(section)).transpose()
        }
    }

    let mut found = Vec::new();
    Sections::deserialize(Top(&mut found)).expect("all sections have defaults");
    found
}
