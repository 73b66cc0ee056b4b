use super::check::is_label;
use super::error::{ConfigError, Place};
use super::load::CLIENT_SECRET;
use super::secret;
use super::sections::{ORGANIZATION, OidcProvider, OidcSection, SIGNING_ALG_VALUES};
use super::tree::{Places, Tree};

/// The identity providers that `[[oidc]]` names. `secrets` are those that variables give, each by
/// the rest of its variable's name.
pub(super) fn providers(
    tree: &Tree,
    sections: Vec<OidcSection>,
    mut secrets: Vec<(String, (Place, String))>,
) -> Result<Vec<OidcProvider>, ConfigError> {
    let mut providers = Vec::new();
    for (at, section) in sections.into_iter().enumerate() {
        let places = tree.places("oidc", at);
        check(&section, &places, &providers)?;
        let variable = format!("{}{CLIENT_SECRET}", section.name.replace('-', "_"));
        let given = secrets.iter().position(|(name, _)| *name == variable);
        let given = given.map(|at| secrets.swap_remove(at).1);
        providers.push(provider(section, &places, given)?);
    }
    match secrets.into_iter().next() {
        None => Ok(providers),
        Some((_, (place, _))) => Err(ConfigError::Invalid {
            place,
            message: "no [[oidc]] has this name".into(),
        }),
    }
}

fn check(
    section: &OidcSection,
    places: &Places,
    others: &[OidcProvider],
) -> Result<(), ConfigError> {
    let is_new = |differs: &dyn Fn(&OidcProvider) -> bool| others.iter().all(differs);
    require(
        places,
        is_label(&section.name) && is_new(&|other| other.name != section.name),
        "name",
        "1 to 63 of a-z, 0-9 and -, and no other provider's",
    )?;
    require(
        places,
        is_issuer(&section.issuer) && is_new(&|other| other.issuer != section.issuer),
        "issuer",
        "an https:// URL without query, or an http:// one of this machine, and no other provider's",
    )?;
    require(
        places,
        section.client_id.as_ref().is_none_or(|id| !id.is_empty()),
        "client_id",
        "not empty",
    )?;
    let names_one = |audience: &String| audience.matches(ORGANIZATION).count() == 1;
    require(
        places,
        section.audiences.iter().all(names_one),
        "audiences",
        "each holds {organization} once, or a token for one organization would be one for every \
         other",
    )?;
    let values = &section.id_token_signing_alg_values;
    let is_known = |value: &String| SIGNING_ALG_VALUES.contains(&value.as_str());
    require(
        places,
        !values.is_empty() && values.iter().all(is_known),
        "id_token_signing_alg_values",
        &format!("of {}", SIGNING_ALG_VALUES.join(", ")),
    )
}

/// The provider of a section that has been checked, with its secret.
fn provider(
    section: OidcSection,
    places: &Places,
    given: Option<(Place, String)>,
) -> Result<OidcProvider, ConfigError> {
    let file = section.client_secret_file.as_deref();
    let file = file.map(|file| (places.of("client_secret_file"), file));
    let client_secret = secret::read(given, file)?;
    require(
        places,
        client_secret.is_none() || section.client_id.is_some(),
        "client_id",
        "the secret is of no use without it",
    )?;
    Ok(OidcProvider {
        name: section.name,
        issuer: section.issuer,
        client_id: section.client_id,
        client_secret,
        audiences: section.audiences,
        id_token_signing_alg_values: section.id_token_signing_alg_values,
    })
}

fn require(
    places: &Places,
    holds: bool,
    key: &'static str,
    message: &str,
) -> Result<(), ConfigError> {
    match holds {
        true => Ok(()),
        false => Err(places.error("[[oidc]]", key, message)),
    }
}

/// OpenID Connect Discovery 1.0, section 4.3: https, without query or fragment.
fn is_issuer(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        let is_secret = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => uri.host().is_some_and(is_this_machine),
            _ => false,
        };
        is_secret
            && uri.authority().is_some_and(|a| !a.as_str().contains('@'))
            && !text.contains(['?', '#'])
    })
}

fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}
