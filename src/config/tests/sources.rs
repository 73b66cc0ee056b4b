use std::path::Path;
use std::time::Duration;

use super::{load, refusal};
use crate::config::{Blobs, Config, LogFormat};

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
            ("BULKHEAD_URL", "https://bulkhead.example.com"),
            ("BULKHEAD_TOKEN", "bkt_abc_def"),
            ("BULKHEAD_TOKEN_FILE", "token"),
            ("BULKHEAD_CA_FILE", "ca.pem"),
            ("BULKHEAD_PROFILE", "acme"),
            ("BULKHEAD_PROFILES", "profiles.toml"),
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
