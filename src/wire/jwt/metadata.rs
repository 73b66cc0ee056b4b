use serde::Deserialize;
use zeroize::Zeroizing;

use super::error::JwtError;

/// What a provider says of itself (OpenID Connect Discovery 1.0, section 3), as far as it is needed
/// here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProviderMetadata {
    /// Who it is.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Where people log in.
    pub authorization_endpoint: Option<String>,
    /// Where what they come back with is changed for a token.
    pub token_endpoint: Option<String>,
    /// How clients prove there who they are; `client_secret_basic`, if it does not say.
    #[serde(default = "basic_alone")]
    pub token_endpoint_auth_methods_supported: Vec<String>,
}

/// What a token endpoint answers (OpenID Connect Core 1.0, 3.1.3.3). The access token is for
/// others, and is not kept.
#[derive(Deserialize)]
pub struct TokenResponse {
    id_token: String,
}

impl ProviderMetadata {
    /// Reads the document.
    ///
    /// # Errors
    /// [`JwtError::Malformed`].
    pub fn parse(json: &[u8]) -> Result<Self, JwtError> {
        serde_json::from_slice(json).map_err(|_| JwtError::Malformed("not a provider's metadata"))
    }

    /// Whether a client's secret goes into the form, for it is not taken in the header.
    pub fn takes_secret_in_form_alone(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        let takes = |name: &str| methods.iter().any(|method| method == name);
        takes("client_secret_post") && !takes(BASIC)
    }
}

impl TokenResponse {
    /// Reads the document.
    ///
    /// # Errors
    /// [`JwtError::Malformed`].
    pub fn parse(json: &[u8]) -> Result<Self, JwtError> {
        serde_json::from_slice(json).map_err(|_| JwtError::Malformed("an answer without ID token"))
    }

    /// The ID token, in its compact form.
    pub fn into_id_token(self) -> Zeroizing<String> {
        Zeroizing::new(self.id_token)
    }
}

fn basic_alone() -> Vec<String> {
    vec![BASIC.to_owned()]
}

const BASIC: &str = "client_secret_basic";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_says_where_it_is() {
        let text = br#"{"issuer":"https://a","jwks_uri":"https://a/keys","extra":[1]}"#;
        let metadata = ProviderMetadata::parse(text).expect("metadata");
        assert_eq!(metadata.jwks_uri, "https://a/keys");
        assert_eq!(metadata.token_endpoint, None);
        assert!(!metadata.takes_secret_in_form_alone());
        let methods = |list: &str| {
            let text = format!(
                r#"{{"issuer":"a","jwks_uri":"b","token_endpoint_auth_methods_supported":{list}}}"#
            );
            ProviderMetadata::parse(text.as_bytes()).expect("metadata")
        };
        assert!(methods(r#"["client_secret_post"]"#).takes_secret_in_form_alone());
        let both = methods(r#"["client_secret_post","client_secret_basic"]"#);
        assert!(!both.takes_secret_in_form_alone());
        for text in ["", "[]", "{}", r#"{"issuer":"a"}"#] {
            assert!(ProviderMetadata::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_comes_with_others() {
        let text = br#"{"access_token":"x","token_type":"Bearer","id_token":"a.b.c"}"#;
        let response = TokenResponse::parse(text).expect("an answer");
        assert_eq!(response.into_id_token().as_str(), "a.b.c");
        assert!(TokenResponse::parse(br#"{"error":"invalid_grant"}"#).is_err());
    }
}
