use names::{InvalidSecretPath, SecretPath};

/// How a caller names a secret: `SecretId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretId {
    /// By its name.
    Name(SecretPath),
    /// By its Amazon Resource Name, whole or without the six characters at its end.
    Arn(Arn),
}

/// An Amazon Resource Name of a secret:
///
/// ```text
/// arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf
///     │   │              │         │                   │       └ tells it from another of its name
///     │   │              │         │                   └ name
///     │   │              │         └ account
///     │   │              └ region
///     │   └ service
///     └ partition
/// ```
///
/// A name may itself end as if it were followed by six characters, so that the last part can be
/// read in two ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn {
    place: String,
    resource: String,
    whole: Option<SecretPath>,
    parted: Option<SecretPath>,
}

impl SecretId {
    /// Reads a name or ARN.
    ///
    /// # Errors
    /// If it can be neither.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretPath> {
        match text.strip_prefix("arn:") {
            Some(rest) => Arn::parse(rest).map(Self::Arn),
            None => SecretPath::parse(text).map(Self::Name),
        }
    }

    /// The path that it most likely means, for a log.
    pub fn path(&self) -> Option<&SecretPath> {
        match self {
            Self::Name(path) => Some(path),
            Self::Arn(arn) => arn.parted.as_ref().or(arn.whole.as_ref()),
        }
    }
}

impl Arn {
    /// The ARN of a secret.
    pub fn of(region: &str, account: &str, path: &SecretPath, suffix: &str) -> String {
        format!("arn:{}:secret:{path}-{suffix}", place(region, account))
    }

    /// The same without the six characters: of a secret that nothing more is known of.
    pub fn partial(region: &str, account: &str, path: &SecretPath) -> String {
        format!("arn:{}:secret:{path}", place(region, account))
    }

    /// Whether it is of this region and account.
    pub fn is_in(&self, region: &str, account: &str) -> bool {
        self.place == place(region, account)
    }

    /// The secrets that it may mean: a name, and the six characters that its secret has to bear.
    /// With them comes first.
    pub fn meanings(&self) -> impl Iterator<Item = (&SecretPath, Option<&str>)> {
        let suffix = self.resource.rsplit_once('-').map(|(_, suffix)| suffix);
        let parted = self.parted.iter().map(move |path| (path, suffix));
        parted.chain(self.whole.iter().map(|path| (path, None)))
    }

    /// Reads what comes after `arn:`.
    fn parse(text: &str) -> Result<Self, InvalidSecretPath> {
        let mut colons = text.match_indices(':').map(|(at, _)| at);
        let at = colons.nth(3).ok_or(InvalidSecretPath)?;
        let (place, rest) = text.split_at(at);
        let resource = rest.strip_prefix(":secret:").ok_or(InvalidSecretPath)?;
        let whole = SecretPath::parse(resource).ok();
        let parted = resource
            .rsplit_once('-')
            .filter(|(_, suffix)| is_suffix(suffix))
            .and_then(|(name, _)| SecretPath::parse(name).ok());
        if whole.is_none() && parted.is_none() {
            return Err(InvalidSecretPath);
        }
        Ok(Self {
            place: place.to_owned(),
            resource: resource.to_owned(),
            whole,
            parted,
        })
    }
}

fn place(region: &str, account: &str) -> String {
    format!("aws:secretsmanager:{region}:{account}")
}

fn is_suffix(text: &str) -> bool {
    text.len() == SUFFIX_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What Amazon puts behind a name, after a dash.
const SUFFIX_CHARS: usize = 6;
