use zeroize::Zeroizing;

/// `N` secret bytes: on the heap, so that a move copies no key; wiped when dropped; without
/// `Debug`, `Clone` or serialization, so that [`expose`](Self::expose) is the only way out.
pub struct Secret<const N: usize>(Box<Zeroizing<[u8; N]>>);

impl<const N: usize> Secret<N> {
    /// Takes the bytes over. The caller wipes what it copied them from.
    pub fn new(bytes: &[u8; N]) -> Self {
        let mut secret = Self::zeroed();
        secret.0.copy_from_slice(bytes);
        secret
    }

    /// Takes over a slice, if it has exactly `N` bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self::new(bytes.try_into().ok()?))
    }

    /// The bytes themselves. The one exit.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    pub(crate) fn zeroed() -> Self {
        Self(Box::new(Zeroizing::new([0; N])))
    }

    pub(crate) fn as_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}
