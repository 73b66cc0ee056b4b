use super::object::{name as name_of, open_etag};
use super::service::Done;
use super::session::Session;
use super::token::TokenPlace;
use super::{DriveError, ListRequest, ListStart, ListedObject, Listing};
use crate::authz::{ListObjects, Receipt};
use crate::catalog::{After, ListEntry, ListQuery, VersionRow};

impl Session<ListObjects> {
    pub(super) async fn list(mut self, request: ListRequest) -> Done<Listing> {
        let name = self.permit.listed_bucket().clone();
        let prefix = self.permit.prefix().clone();
        let permitted = prefix.clone();
        let bucket = self.bucket(&name).await?.bucket;
        // An empty delimiter is none, as at Amazon.
        let delimiter = request.delimiter.filter(|delimiter| !delimiter.is_empty());
        let place = TokenPlace {
            bucket,
            prefix: permitted.as_str(),
            delimiter: delimiter.as_deref(),
        };
        let after = match request.start {
            ListStart::Beginning => None,
            ListStart::After(marker) => Some(marked(marker, prefix.as_str(), delimiter.as_deref())),
            ListStart::Token(token) => Some(place.open(self.keys(), &token)?),
        };
        let max = request.max.min(PAGE_MAX);
        if max == 0 {
            let empty = Listing {
                entries: Vec::new(),
                is_truncated: false,
                next_marker: None,
                next_token: None,
            };
            return Ok((empty, Receipt::default()));
        }
        let query = ListQuery {
            prefix: prefix.clone(),
            delimiter: delimiter.clone(),
            after,
            max,
        };
        let listed = self.catalog.list(bucket, &query).await?;
        let page = self
            .verify_page(listed.entries, move |keys, row: VersionRow, key_version| {
                if row.bucket != bucket || !row.key.as_str().starts_with(prefix.as_str()) {
                    return Err(DriveError::damaged(name_of(&row), "it is in another list"));
                }
                let etag = open_etag(keys, &row, key_version)?;
                Ok(ListedObject::Object {
                    key: row.key,
                    size: row.size,
                    modified_ms: row.modified_ms,
                    etag,
                })
            })
            .await?;
        let entries: Vec<_> = page
            .into_iter()
            .map(|entry| match entry {
                ListEntry::Row(object) => object,
                ListEntry::CommonPrefix(prefix) => ListedObject::Prefix(prefix),
            })
            .collect();

        let next = match entries.last() {
            Some(last) if listed.truncated => Some(match last {
                ListedObject::Object { key, .. } => After::Key(key.as_str().to_owned()),
                ListedObject::Prefix(prefix) => After::Prefix(prefix.clone()),
            }),
            _ => None,
        };
        let next_token = next
            .as_ref()
            .map(|after| place.seal(self.keys(), after))
            .transpose()?;
        let next_marker = next.map(|after| match after {
            After::Key(text) | After::Prefix(text) | After::Upload(text, _) => text,
        });
        let listing = Listing {
            entries,
            is_truncated: next_marker.is_some(),
            next_marker,
            next_token,
        };
        Ok((listing, Receipt::default()))
    }
}

/// Where a list goes on after a marker: a common prefix stands for all that begins with it.
pub(super) fn marked(marker: String, prefix: &str, delimiter: Option<&str>) -> After {
    let is_common_prefix = delimiter.is_some_and(|delimiter| {
        marker
            .strip_prefix(prefix)
            .and_then(|rest| rest.split_once(delimiter))
            .is_some_and(|(_, behind)| behind.is_empty())
    });
    match is_common_prefix {
        true => After::Prefix(marker),
        false => After::Key(marker),
    }
}

/// The longest page, as Amazon's.
pub(super) const PAGE_MAX: u32 = 1000;
