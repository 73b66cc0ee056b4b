use zeroize::Zeroizing;

/// The value of a secret as it was sent: 1 to 65,536 bytes. It is wiped when it is dropped, and not
/// shown.
pub enum SentValue {
    /// `SecretString`.
    Text(Zeroizing<String>),
    /// `SecretBinary`, decoded.
    Binary(Zeroizing<Vec<u8>>),
}

impl SentValue {
    /// How many bytes a value has at most (Secrets Manager API reference, CreateSecret).
    pub const BYTES_MAX: usize = 65_536;
}
