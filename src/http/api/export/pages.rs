use futures_util::{Stream, stream};

use super::error::Ended;
use crate::tenancy::{RecordCursor, RecordPage};

/// A page of a list, and where the next one begins.
pub(super) struct Page<T, C> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// Nothing, and nothing after it.
    pub(super) const END: Self = Self {
        items: Vec::new(),
        next: None,
    };

    /// What a list gave that was asked for [`PAGE`]: where it is full there may be more, after the
    /// place of its last.
    pub(super) fn of(items: Vec<T>, place: impl Fn(&T) -> C) -> Self {
        let is_full = items.len() >= PAGE as usize;
        Self {
            next: items.last().filter(|_| is_full).map(place),
            items,
        }
    }
}

impl<T> From<RecordPage<T>> for Page<T, RecordCursor> {
    fn from(RecordPage { items, next }: RecordPage<T>) -> Self {
        Self { items, next }
    }
}

/// The pages of a list to its end. Each is read when it is taken, by what is allowed then.
pub(super) fn pages<T, C, R, F>(read: R) -> impl Stream<Item = Result<Vec<T>, Ended>>
where
    R: Fn(Option<C>) -> F,
    F: Future<Output = Result<Page<T, C>, Ended>>,
{
    stream::try_unfold(Some(None), move |place| {
        let page = place.map(&read);
        async move {
            let Some(page) = page else {
                return Ok(None);
            };
            let Page { items, next } = page.await?;
            Ok(Some((items, next.map(Some))))
        }
    })
}

/// How many rows a page has.
pub(super) const PAGE: u32 = 500;
