use zeroize::Zeroizing;

use super::request::Action;
use crate::s3::xml::Writer;

/// What a session is used by: the one time that it is shown.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The public half.
    pub access_key_id: &'a str,
    /// The secret half.
    pub secret_access_key: &'a str,
    /// What comes with every signature.
    pub session_token: &'a str,
    /// When it ends, milliseconds since the epoch.
    pub expiration_ms: u64,
}

/// The answer to `GetCallerIdentity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerIdentity<'a> {
    /// The caller's resource name.
    pub arn: &'a str,
    /// The caller's identifier.
    pub user_id: &'a str,
    /// The account: twelve digits.
    pub account: &'a str,
}

/// The answer to `GetSessionToken`.
#[derive(Clone, Copy)]
pub struct SessionToken<'a> {
    /// What the session is used by.
    pub credentials: Credentials<'a>,
}

/// The answer to `AssumeRole` and, with what was proven, to `AssumeRoleWithWebIdentity`.
#[derive(Clone, Copy)]
pub struct AssumedRole<'a> {
    /// What the session is used by.
    pub credentials: Credentials<'a>,
    /// The session's resource name.
    pub arn: &'a str,
    /// The role's identifier, a colon, and the session's name.
    pub assumed_role_id: &'a str,
    /// How much of what its policy may have it has, in percent.
    pub packed_size_percent: Option<u32>,
    /// What the provider's token said.
    pub proof: Option<IdentityProof<'a>>,
}

/// What an identity token said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityProof<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Its name for whoever it vouches for.
    pub subject: &'a str,
    /// Whom it said so to.
    pub audience: &'a str,
}

impl CallerIdentity<'_> {
    /// Writes the document.
    pub fn to_xml(&self, request_id: &str) -> String {
        response(Action::GetCallerIdentity, request_id, |writer| {
            writer.element("Arn", self.arn);
            writer.element("UserId", self.user_id);
            writer.element("Account", self.account);
        })
    }
}

impl SessionToken<'_> {
    /// Writes the document, which is wiped when it is dropped.
    pub fn to_xml(&self, request_id: &str) -> Zeroizing<String> {
        Zeroizing::new(response(Action::GetSessionToken, request_id, |writer| {
            self.credentials.write(writer);
        }))
    }
}

impl AssumedRole<'_> {
    /// Writes the document, which is wiped when it is dropped.
    pub fn to_xml(&self, request_id: &str) -> Zeroizing<String> {
        let action = match self.proof {
            Some(_) => Action::AssumeRoleWithWebIdentity,
            None => Action::AssumeRole,
        };
        Zeroizing::new(response(action, request_id, |writer| {
            if let Some(proof) = &self.proof {
                writer.element("SubjectFromWebIdentityToken", proof.subject);
                writer.element("Audience", proof.audience);
                writer.element("Provider", proof.issuer);
            }
            writer.parent("AssumedRoleUser", |writer| {
                writer.element("Arn", self.arn);
                writer.element("AssumedRoleId", self.assumed_role_id);
            });
            self.credentials.write(writer);
            writer.optional("PackedPolicySize", self.packed_size_percent);
        }))
    }
}

impl Credentials<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.parent("Credentials", |writer| {
            writer.element("AccessKeyId", self.access_key_id);
            writer.element("SecretAccessKey", self.secret_access_key);
            writer.element("SessionToken", self.session_token);
            writer.instant("Expiration", self.expiration_ms);
        });
    }
}

/// The frame that every answer stands in.
fn response(action: Action, request_id: &str, content: impl FnOnce(&mut Writer)) -> String {
    let name = action.name();
    Writer::sts_document(&format!("{name}Response"), |writer| {
        writer.parent(&format!("{name}Result"), content);
        writer.parent("ResponseMetadata", |writer| {
            writer.element("RequestId", request_id);
        });
    })
}
