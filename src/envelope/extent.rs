/// A stretch of this process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins.
    pub address: usize,
    /// How many bytes it has.
    pub len: usize,
}

/// Tells where the secret bytes of a key lie, all of them, for whoever keeps these from being
/// written to swap. They stay there when the key is moved.
pub trait Extents {
    /// Where.
    fn extents(&self) -> Vec<Extent>;
}

impl Extent {
    /// Where a value lies, without what it points to.
    pub fn of<T: ?Sized>(value: &T) -> Self {
        Self {
            address: std::ptr::from_ref(value).addr(),
            len: size_of_val(value),
        }
    }
}
