use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;

use super::super::{Certificates, TlsError};
use super::house::{House, read_to_end, short};
use crate::config::Net;

#[tokio::test]
async fn tls_speaks_http2_and_http1_and_names_the_server() {
    let authority = Authority::new();
    let root = authority.issue("a", &["a.test"]);
    let certificates = Certificates::open(authority.path()).expect("a folder");
    let mut house = House::open(Net::default(), Some(&certificates)).await;
    let url = format!("https://a.test:{}/", house.address.port());

    let text = client(&root, &house, "a.test")
        .get(&url)
        .send()
        .await
        .expect("sent");
    assert_eq!(text.text().await.expect("a body"), "hello");
    let (_, peer) = house.saw_request().await;
    assert!(peer.tls);
    assert_eq!(peer.server_name.as_deref(), Some("a.test"));

    for (offered, settled) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let (_, alpn) = handshake(house.address, "a.test", offered, &[&root])
            .await
            .expect("a handshake");
        assert_eq!(alpn.as_deref(), settled.map(str::as_bytes));
    }
}

#[tokio::test]
async fn certificates_are_chosen_by_server_name() {
    let authority = Authority::new();
    let a = authority.issue("a", &["a.test", "*.a.test"]);
    let b = authority.issue("b", &["b.test"]);
    let certificates = Certificates::open(authority.path()).expect("a folder");
    let house = House::open(Net::default(), Some(&certificates)).await;
    let shown = async |name: &str, trusted: &CertificateDer<'static>| {
        handshake(house.address, name, &[], &[trusted])
            .await
            .map(|(shown, _)| shown)
    };
    assert_eq!(shown("a.test", &a).await.expect("shown"), a);
    assert_eq!(shown("bucket.a.test", &a).await.expect("shown"), a);
    assert_eq!(shown("b.test", &b).await.expect("shown"), b);
    assert!(shown("c.test", &a).await.is_err());
    assert!(shown("127.0.0.1", &a).await.is_err());

    // A new pair is used without a restart, and a broken one changes nothing.
    let fallback = authority.issue("default", &["other.test", "127.0.0.1"]);
    certificates.reload().expect("reloaded");
    assert_eq!(
        shown("127.0.0.1", &fallback).await.expect("shown"),
        fallback
    );
    assert_eq!(
        shown("other.test", &fallback).await.expect("shown"),
        fallback
    );
    assert_eq!(shown("b.test", &b).await.expect("shown"), b);
    std::fs::write(authority.path().join("b.key"), "not a key").expect("written");
    assert!(matches!(
        certificates.reload(),
        Err(TlsError::NotPem { .. })
    ));
    assert_eq!(shown("b.test", &b).await.expect("shown"), b);
}

#[test]
fn a_folder_that_is_not_whole_is_refused() {
    let authority = Authority::new();
    assert!(matches!(
        Certificates::open(authority.path()),
        Err(TlsError::Empty(_))
    ));
    authority.issue("a", &["a.test"]);
    authority.issue("b", &["b.test"]);
    assert!(Certificates::open(authority.path()).is_ok());
    let at = |name: &str| authority.path().join(name);
    std::fs::copy(at("a.key"), at("b.key")).expect("copied");
    assert!(matches!(
        Certificates::open(authority.path()),
        Err(TlsError::Unusable { .. })
    ));
    std::fs::remove_file(at("b.key")).expect("removed");
    assert!(matches!(
        Certificates::open(authority.path()),
        Err(TlsError::NoKey { .. })
    ));
    assert!(matches!(
        Certificates::open(&at("none")),
        Err(TlsError::Unreadable { .. })
    ));
}

#[tokio::test]
async fn a_handshake_that_stands_still_ends() {
    let authority = Authority::new();
    authority.issue("a", &["a.test"]);
    let certificates = Certificates::open(authority.path()).expect("a folder");
    let net = Net {
        tls_handshake_timeout: short(),
        ..Net::default()
    };
    let house = House::open(net, Some(&certificates)).await;
    let mut stream = house.connect().await;
    assert_eq!(read_to_end(&mut stream).await, "");
}

/// A folder of certificates, each for the names given, and a client that trusts them.
struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a directory"),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn issue(&self, file: &str, names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        std::fs::write(self.path().join(format!("{file}.crt")), made.cert.pem()).expect("written");
        let key = made.signing_key.serialize_pem();
        std::fs::write(self.path().join(format!("{file}.key")), key).expect("written");
        made.cert.der().clone()
    }
}

/// What a TLS client is shown for a server name, and what ALPN settles on.
async fn handshake(
    address: SocketAddr,
    name: &str,
    protocols: &[&str],
    trusted: &[&CertificateDer<'static>],
) -> std::io::Result<(CertificateDer<'static>, Option<Vec<u8>>)> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    let name = name.to_owned().try_into().expect("a server name");
    let stream = TcpStream::connect(address).await?;
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let session = stream.get_ref().1;
    let shown = session.peer_certificates().expect("a chain")[0]
        .clone()
        .into_owned();
    Ok((shown, session.alpn_protocol().map(<[u8]>::to_vec)))
}

fn client(trusted: &CertificateDer<'static>, house: &House, name: &str) -> reqwest::Client {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_der(trusted).expect("a root")])
        .resolve(name, house.address)
        .no_proxy()
        .build()
        .expect("a client")
}
