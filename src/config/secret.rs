use std::path::Path;

use zeroize::Zeroizing;

use super::error::{ConfigError, Place};

/// A secret that the operator set: wiped when dropped, and shown nowhere.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret that stands in memory already.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The one way out.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Reads the secret from the variable or from the file, whichever the operator chose; naming both
/// is a mistake that this does not settle by guessing.
pub(super) fn read(
    variable: Option<(Place, String)>,
    file: Option<(Place, &Path)>,
) -> Result<Option<Secret>, ConfigError> {
    let (place, text) = match (variable, file) {
        (None, None) => return Ok(None),
        (Some((place, _)), Some((other, _))) => {
            return Err(ConfigError::Invalid {
                place,
                message: format!("this secret is also given by {other}: set one of the two"),
            });
        }
        (Some((place, text)), None) => (place, Zeroizing::new(text)),
        (None, Some((place, path))) => {
            let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
            (place, Zeroizing::new(text))
        }
    };
    // Editors and `echo` end a file with a newline that is no part of the secret.
    let text = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
    let printable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !printable {
        return Err(ConfigError::Invalid {
            place,
            message: "a secret is one line of printable ASCII without spaces".into(),
        });
    }
    Ok(Some(Secret::new(text.to_owned())))
}
