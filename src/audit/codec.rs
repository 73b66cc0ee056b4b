use std::borrow::Cow;

use crate::authz::{Role, Rule};

/// How an identifier that may be missing stands in CBOR: as its sixteen bytes, or left out.
macro_rules! identifier {
    ($module:ident, $id:ident) => {
        pub(super) mod $module {
            use minicbor::decode::{Decoder, Error};
            use minicbor::encode::{self, Encoder, Write};
            use names::$id;

            pub(in crate::audit) fn encode<C, W: Write>(
                id: &Option<$id>,
                encoder: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), encode::Error<W::Error>> {
                match id {
                    Some(id) => encoder.bytes(id.bytes())?.ok(),
                    None => encoder.null()?.ok(),
                }
            }

            pub(in crate::audit) fn decode<C>(
                decoder: &mut Decoder<'_>,
                _: &mut C,
            ) -> Result<Option<$id>, Error> {
                $id::from_slice(decoder.bytes()?)
                    .map(Some)
                    .map_err(|_| Error::message("an identifier has sixteen bytes"))
            }

            pub(in crate::audit) fn nil() -> Option<Option<$id>> {
                Some(None)
            }

            pub(in crate::audit) fn is_nil(id: &Option<$id>) -> bool {
                id.is_none()
            }
        }
    };
}

identifier!(org, OrgId);
identifier!(principal, PrincipalId);
identifier!(account, AccountId);

/// A role as rows store it.
pub(super) mod role {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    use crate::authz::Role;

    pub(in crate::audit) fn encode<C, W: Write>(
        role: &Role,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.u8(*role as u8)?.ok()
    }

    pub(in crate::audit) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<Role, Error> {
        Role::of(decoder.u8()?).ok_or_else(|| Error::message("not a role"))
    }
}

/// A rule as logs name it. Only a grant takes memory of its own.
pub(super) fn rule(rule: Rule) -> Cow<'static, str> {
    Cow::Borrowed(match rule {
        Rule::Organization => "organization",
        Rule::Role(Role::Owner) => "role:owner",
        Rule::Role(Role::Admin) => "role:admin",
        Rule::Role(Role::Member) => "role:member",
        Rule::Role(Role::Viewer) => "role:viewer",
        Rule::Role(Role::Billing) => "role:billing",
        Rule::Home => "home",
        Rule::Own => "own",
        Rule::SecretPolicy => "secret-policy",
        Rule::Operator => "operator",
        Rule::Grant(_) | Rule::ShareLink(_) => return Cow::Owned(rule.to_string()),
    })
}
