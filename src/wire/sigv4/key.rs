use ring::hmac;
use zeroize::Zeroizing;

/// Where and for what a signing key holds: `<date>/<region>/<service>/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The day, `YYYYMMDD`.
    pub date: String,
    /// The region.
    pub region: String,
    /// The service: `s3`, `sts`, `secretsmanager`.
    pub service: String,
}

impl Scope {
    /// The scope as the string to sign holds it.
    pub(crate) fn text(&self) -> String {
        let Self {
            date,
            region,
            service,
        } = self;
        format!("{date}/{region}/{service}/{TERMINATOR}")
    }
}

/// The key that signs every request of one access key on one day, in one region, for one service.
/// Wiped when dropped; without `Debug` and `Clone`.
pub struct SigningKey(Zeroizing<[u8; 32]>);

impl SigningKey {
    /// Derives it from the secret access key: four HMACs, which is why it is worth caching.
    pub fn derive(secret_access_key: &str, scope: &Scope) -> Self {
        let first = Zeroizing::new(format!("AWS4{secret_access_key}"));
        let mut key = Self(sha256_mac(first.as_bytes(), scope.date.as_bytes()));
        for step in [scope.region.as_str(), &scope.service, TERMINATOR] {
            key = Self(sha256_mac(&*key.0, step.as_bytes()));
        }
        key
    }

    /// Signs.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 32] {
        *sha256_mac(&*self.0, message)
    }

    /// Compares a signature in constant time.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8; 32]) -> bool {
        use subtle::ConstantTimeEq;
        self.sign(message).ct_eq(signature).into()
    }
}

fn sha256_mac(key: &[u8], message: &[u8]) -> Zeroizing<[u8; 32]> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

pub(super) const TERMINATOR: &str = "aws4_request";
