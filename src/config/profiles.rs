use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::client::profiles_file;
use super::error::{ConfigError, Place};
use super::secret::Secret;

/// The servers that a user of the command line works with, and the token for each. The file is
/// its owner's alone: it holds tokens.
///
/// ```text
/// current = "acme"
///
/// [profiles.acme]
/// url = "https://bulkhead.example.com:9001"
/// organization = "acme"
/// token = "bks_…"
/// ```
pub struct Profiles {
    path: PathBuf,
    stored: Stored,
}

/// A server and what is shown to it.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The server's control address.
    pub url: String,
    /// The organization that is meant where a command names none, by short name or identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// A file of certificates (PEM) that may vouch for the server, beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whether the token may be sent over a network in the clear.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_http: bool,
    /// The bearer token; none after a log-out.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "exposed",
        deserialize_with = "secret"
    )]
    pub token: Option<Secret>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Stored {
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    profiles: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Reads the profiles of this user; where there is no file there are none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not what it has to be, or lets others read it.
    pub fn load() -> Result<Self, ConfigError> {
        Self::open(profiles_file()?)
    }

    /// Reads the profiles of a file.
    ///
    /// # Errors
    ///
    /// As for [`Profiles::load`].
    pub fn open(path: PathBuf) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.clone(),
            source,
        };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    path,
                    stored: Stored::default(),
                });
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mode = file.metadata().map_err(unreadable)?.permissions().mode();
        if mode & OF_OTHERS != 0 {
            return Err(Self::invalid(
                &path,
                "it holds tokens, and others may read or write it: `chmod 600` it",
            ));
        }
        let mut text = Zeroizing::new(String::new());
        io::Read::read_to_string(&mut file, &mut text).map_err(unreadable)?;
        // The message of a parser would show the line, and with it a token.
        let stored = toml::from_str(&text)
            .map_err(|error| Self::invalid(&path, &where_it_breaks(&text, &error)))?;
        Ok(Self { path, stored })
    }

    /// Where they are kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A profile by its name.
    pub fn named(&self, name: &str) -> Option<&Profile> {
        self.stored.profiles.get(name)
    }

    /// The name of the profile that is used where none is named.
    pub fn current(&self) -> Option<&str> {
        self.stored.current.as_deref()
    }

    /// All profiles by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Profile)> {
        let all = self.stored.profiles.iter();
        all.map(|(name, profile)| (name.as_str(), profile))
    }

    /// Uses a profile where none is named.
    pub fn use_by_default(&mut self, name: &str) {
        self.stored.current = Some(name.to_owned());
    }

    /// Keeps a profile under a name, in place of the one that has it.
    pub fn set(&mut self, name: &str, profile: Profile) {
        self.stored.profiles.insert(name.to_owned(), profile);
    }

    /// Takes a profile out, to be set again.
    pub fn take(&mut self, name: &str) -> Option<Profile> {
        self.stored.profiles.remove(name)
    }

    /// Takes a profile out for good.
    pub fn remove(&mut self, name: &str) -> Option<Profile> {
        if self.current() == Some(name) {
            self.stored.current = None;
        }
        self.take(name)
    }

    /// Writes the file anew, its owner's alone from its first byte, and in place of the old one
    /// only when it is whole.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save(&self) -> Result<(), ConfigError> {
        let text = toml::to_string(&self.stored).map(Zeroizing::new);
        let text = text.map_err(|error| Self::invalid(&self.path, &error.to_string()))?;
        self.replace(text.as_bytes())
            .map_err(|source| ConfigError::Unwritable {
                path: self.path.clone(),
                source,
            })
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(OF_OWNER_DIRECTORY);
            builder.create(directory)?;
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(OF_OWNER);
        let written = options.open(&beside).and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        });
        if written.is_err() {
            // What was begun holds tokens; that it cannot be removed either changes nothing.
            let _left = fs::remove_file(&beside);
        }
        written
    }

    fn invalid(path: &Path, message: &str) -> ConfigError {
        ConfigError::Invalid {
            place: Place::File(path.into()),
            message: message.to_owned(),
        }
    }
}

/// What is wrong with the text, and on which line.
fn where_it_breaks(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let what = error.message().lines().next().unwrap_or("it is no TOML");
    format!("line {line}: {what}")
}

fn exposed<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(Secret::new))
}

/// Permissions of the group and of everybody else.
const OF_OTHERS: u32 = 0o077;
const OF_OWNER: u32 = 0o600;
const OF_OWNER_DIRECTORY: u32 = 0o700;

#[cfg(test)]
mod tests {
    use super::*;

    fn a_file() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep").join("profiles.toml");
        (directory, path)
    }

    fn a_profile() -> Profile {
        Profile {
            url: "https://bulkhead.example.com:9001".into(),
            organization: Some("acme".into()),
            token: Some(Secret::new("bks_abc_def".into())),
            ..Profile::default()
        }
    }

    #[test]
    fn what_is_saved_is_its_owners_alone_and_is_read_back() {
        let (_directory, path) = a_file();
        let mut profiles = Profiles::open(path.clone()).unwrap();
        assert_eq!(profiles.all().count(), 0);
        profiles.set("acme", a_profile());
        profiles.use_by_default("acme");
        profiles.save().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);

        let mut again = Profiles::open(path.clone()).unwrap();
        assert_eq!(again.current(), Some("acme"));
        let acme = again.named("acme").unwrap();
        assert_eq!(acme.url, a_profile().url);
        assert_eq!(acme.token.as_ref().unwrap().expose(), "bks_abc_def");
        again.remove("acme").unwrap();
        again.save().unwrap();
        let gone = Profiles::open(path.clone()).unwrap();
        assert_eq!((gone.current(), gone.all().count()), (None, 0));
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let (_directory, path) = a_file();
        let mut profiles = Profiles::open(path.clone()).unwrap();
        profiles.set("acme", a_profile());
        profiles.save().unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Profiles::open(path).err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn an_error_in_the_file_names_the_line_and_shows_no_token() {
        let (_directory, path) = a_file();
        let mut profiles = Profiles::open(path.clone()).unwrap();
        profiles.set("acme", a_profile());
        profiles.save().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for broken in [
            text.replace("bks_abc_def\"", "bks_abc_def"),
            text.replace("token", "tokn"),
        ] {
            fs::write(&path, broken).unwrap();
            let error = Profiles::open(path.clone()).err().unwrap().to_string();
            assert!(error.contains("line "), "{error}");
            assert!(!error.contains("bks_abc"), "{error}");
        }
    }
}
