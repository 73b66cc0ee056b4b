use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::signal::unix::{SignalKind, signal};

use super::stop::Stop;

/// The certificates of a folder: `<name>.crt` or `<name>.pem`, a chain with the server's own first,
/// beside `<name>.key`.
///
/// A connection gets the first pair, in the order of names, whose certificate is valid for the
/// server name that it asks for; otherwise, and when it asks for none, the pair called `default`,
/// or the only one. Clones share one.
#[derive(Clone)]
pub struct Certificates(Arc<Folder>);

/// Why a folder of certificates cannot be used. It is the operator's turn.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds no certificate or no key.
    #[error("{}: {source}", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A certificate and its key do not go together, or are of a kind that is not supported.
    #[error("{}: {source}", path.display())]
    Unusable {
        /// The certificate.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// A certificate without a key.
    #[error("{}: no key beside it, expected {}", certificate.display(), key.display())]
    NoKey {
        /// The certificate.
        certificate: PathBuf,
        /// The file that is missing.
        key: PathBuf,
    },
    /// The folder holds no certificate at all.
    #[error("{}: no .crt or .pem file in this folder", .0.display())]
    Empty(PathBuf),
}

impl Certificates {
    /// Reads a folder.
    ///
    /// # Errors
    ///
    /// If anything in it is wrong: a listener starts with all of its certificates or not at all.
    pub fn open(folder: &Path) -> Result<Self, TlsError> {
        let seen = survey(folder)?;
        let pairs = read(folder, &seen)?;
        Ok(Self(Arc::new(Folder {
            path: folder.to_owned(),
            current: RwLock::new(Current { seen, pairs }),
        })))
    }

    /// Reads the folder again if a name, size or time of change in it differs. Connections that
    /// are open keep what they have.
    ///
    /// # Errors
    ///
    /// As for [`Certificates::open`]; what was read before stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let folder = &self.0;
        let seen = survey(&folder.path)?;
        if seen
            == folder
                .current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .seen
        {
            return Ok(());
        }
        let pairs = read(&folder.path, &seen)?;
        let count = pairs.len();
        *folder
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Current { seen, pairs };
        tracing::info!(folder = %folder.path.display(), count, "certificates reloaded");
        Ok(())
    }

    /// Reloads at every interval and at SIGHUP, until the stop.
    ///
    /// # Errors
    ///
    /// If the system does not let SIGHUP be handled.
    pub fn watch(&self, interval: Duration, stop: Stop) -> io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let certificates = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.requested() => return,
                    () = tokio::time::sleep(interval) => {}
                    _ = hangup.recv() => {}
                }
                let again = certificates.clone();
                match tokio::task::spawn_blocking(move || again.reload()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::error!(%error, "certificates not reloaded, the old ones stay");
                    }
                    Err(error) => tracing::error!(%error, "reloading certificates failed"),
                }
            }
        });
        Ok(())
    }

    /// TLS 1.2 and 1.3 by rustls and ring, with HTTP/2 preferred by ALPN.
    pub(super) fn server_config(&self) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.0) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

struct Folder {
    path: PathBuf,
    current: RwLock<Current>,
}

struct Current {
    seen: Survey,
    pairs: Vec<Pair>,
}

/// Name, size and time of change of every file that counts.
type Survey = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

struct Pair {
    is_default: bool,
    key: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Folder {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let asked = hello
            .server_name()
            .and_then(|name| ServerName::try_from(name).ok());
        let named = asked.and_then(|name| {
            current.pairs.iter().find(|pair| {
                pair.key
                    .end_entity_cert()
                    .and_then(ParsedCertificate::try_from)
                    .and_then(|certificate| verify_server_name(&certificate, &name))
                    .is_ok()
            })
        });
        let fallback = || match current.pairs.as_slice() {
            [only] => Some(only),
            pairs => pairs.iter().find(|pair| pair.is_default),
        };
        named.or_else(fallback).map(|pair| Arc::clone(&pair.key))
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Folder({})", self.path.display())
    }
}

fn survey(folder: &Path) -> Result<Survey, TlsError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Unreadable { path, source }
    };
    let mut seen = Survey::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let counts = ["crt", "pem", "key"]
            .iter()
            .any(|kind| path.extension().is_some_and(|extension| extension == *kind));
        if counts {
            // Follows links: Kubernetes swaps the target of a link to change a secret.
            let metadata = std::fs::metadata(&path).map_err(unreadable(&path))?;
            seen.insert(path, (metadata.len(), metadata.modified().ok()));
        }
    }
    Ok(seen)
}

fn read(folder: &Path, seen: &Survey) -> Result<Vec<Pair>, TlsError> {
    let mut pairs = Vec::new();
    for path in seen.keys() {
        if path.extension().is_some_and(|extension| extension == "key") {
            continue;
        }
        let key_path = path.with_extension("key");
        if !seen.contains_key(&key_path) {
            return Err(TlsError::NoKey {
                certificate: path.clone(),
                key: key_path,
            });
        }
        let chain = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(not_pem(path))?;
        if chain.is_empty() {
            return Err(not_pem(path)(pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_file(&key_path).map_err(not_pem(&key_path))?;
        let unusable = |source| TlsError::Unusable {
            path: path.clone(),
            source,
        };
        let key =
            CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(unusable)?;
        // What does not parse would be refused by every client: say so now.
        key.end_entity_cert()
            .and_then(ParsedCertificate::try_from)
            .map_err(unusable)?;
        pairs.push(Pair {
            is_default: path.file_stem().is_some_and(|stem| stem == "default"),
            key: Arc::new(key),
        });
    }
    if pairs.is_empty() {
        return Err(TlsError::Empty(folder.to_owned()));
    }
    Ok(pairs)
}

fn not_pem(path: &Path) -> impl FnOnce(pem::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::NotPem { path, source }
}
