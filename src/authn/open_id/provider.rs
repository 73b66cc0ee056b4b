use names::OrgId;
use zeroize::Zeroizing;

/// A provider whose tokens are believed.
pub struct OpenIdProvider {
    /// What log-ins call it.
    pub name: String,
    /// The issuer, exactly as its tokens and its metadata say it.
    pub issuer: String,
    /// As what this gateway is registered there. None: nobody logs in by it.
    pub client_id: Option<String>,
    /// What proves that. None: a public client.
    pub client_secret: Option<Zeroizing<String>>,
    /// What an agent's token names as its audience: what comes before and after the identifier of
    /// an organization.
    pub audiences: Vec<(String, String)>,
    /// By what its tokens may be signed, as RFC 7518 names it.
    pub algorithms: Vec<String>,
}

impl OpenIdProvider {
    /// The organization that an agent's token is for. A token for several audiences is for none:
    /// each of the others could show it here.
    pub(super) fn organization(&self, audience: &[String]) -> Option<OrgId> {
        let [audience] = audience else {
            return None;
        };
        self.audiences.iter().find_map(|(before, after)| {
            let id = audience.strip_prefix(before)?.strip_suffix(after)?;
            let org: OrgId = id.parse().ok()?;
            // An identifier has one spelling here, and nobody is an agent of the platform.
            (org.to_string() == id && !org.is_platform()).then_some(org)
        })
    }
}
