use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use names::BucketId;

use super::DriveError;
use crate::catalog::After;
use crate::keyring::{OrgKeys, Record};

/// What a continuation token is good for: one list, whatever the size of its pages.
#[derive(Clone, Copy)]
pub(super) struct TokenPlace<'a> {
    pub(super) bucket: BucketId,
    pub(super) prefix: &'a str,
    pub(super) delimiter: Option<&'a str>,
}

impl TokenPlace<'_> {
    /// Seals where a list goes on. A token reveals no key, and opens only for this organization,
    /// bucket, prefix and delimiter.
    pub(super) fn seal(&self, keys: &OrgKeys, after: &After) -> Result<String, DriveError> {
        let (kind, text) = match after {
            After::Prefix(prefix) => (PREFIX, prefix),
            After::Key(key) | After::Upload(key, _) => (KEY, key),
        };
        let mut plain = vec![kind];
        plain.extend_from_slice(text.as_bytes());
        let sealed = self.with(keys, |record| keys.seal_record(record, &plain));
        Ok(URL_SAFE_NO_PAD.encode(sealed.map_err(DriveError::sealing)?))
    }

    /// Opens a token that a client sends back.
    pub(super) fn open(&self, keys: &OrgKeys, token: &str) -> Result<After, DriveError> {
        let opened = URL_SAFE_NO_PAD.decode(token).ok().and_then(|sealed| {
            self.with(keys, |record| keys.open_record(record, &sealed))
                .ok()
        });
        let after = opened.and_then(|plain| {
            let (kind, text) = plain.split_first()?;
            let text = String::from_utf8(text.to_vec()).ok()?;
            match *kind {
                KEY => Some(After::Key(text)),
                PREFIX => Some(After::Prefix(text)),
                _ => None,
            }
        });
        after.ok_or(DriveError::InvalidArgument(
            "The continuation token provided is incorrect",
        ))
    }

    fn with<T>(&self, keys: &OrgKeys, f: impl FnOnce(Record<'_>) -> T) -> T {
        let org = keys.org();
        f(Record {
            table: "list_tokens",
            primary_key: &[
                org.bytes(),
                self.bucket.bytes(),
                self.prefix.as_bytes(),
                self.delimiter.unwrap_or_default().as_bytes(),
            ],
            column: "after",
        })
    }
}

const KEY: u8 = 0;
const PREFIX: u8 = 1;
