use zeroize::Zeroizing;

use super::error::{Field, VaultError};
use super::model::{Kind, Value};

/// A value has the members that its kind names. What they hold is not looked at, and no error
/// quotes it.
pub(super) fn check_shape(kind: Kind, value: &Value) -> Result<(), VaultError> {
    let Some(members) = kind.members() else {
        return match (kind, value) {
            (Kind::ApiKey, Value::Binary(_)) => {
                Err(VaultError::invalid(Field::Value, "an API key is text"))
            }
            _ => Ok(()),
        };
    };
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(value.expose())
        .map_err(|_| {
            VaultError::invalid(
                Field::Value,
                "the value of a secret of this kind is a JSON object",
            )
        })?;
    let has = |member: &&str| {
        object
            .get(*member)
            .is_some_and(serde_json::Value::is_string)
    };
    let is_whole = members.iter().all(has);
    wipe(object);
    if is_whole {
        Ok(())
    } else {
        Err(VaultError::invalid(
            Field::Value,
            "the value lacks a member that its kind has",
        ))
    }
}

/// Wipes the texts of a parsed value before their memory is given back.
fn wipe(object: serde_json::Map<String, serde_json::Value>) {
    for (_, value) in object {
        match value {
            serde_json::Value::String(text) => drop(Zeroizing::new(text)),
            serde_json::Value::Object(inner) => wipe(inner),
            serde_json::Value::Array(items) => wipe(
                items
                    .into_iter()
                    .map(|item| (String::new(), item))
                    .collect(),
            ),
            _ => {}
        }
    }
}
