use crate::s3::{ErrorCode, Refusal};

/// The user metadata among some headers: names without `x-amz-meta-`, each once, in the order
/// they came; values as [`to_text`] gives them. A name that comes twice has its values joined by a
/// comma.
///
/// # Errors
/// `MetadataTooLarge` when names and values have more than 2 KiB together.
pub fn user_metadata<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<(String, String)>, Refusal> {
    let mut metadata: Vec<(String, String)> = Vec::new();
    let mut bytes = 0;
    for (name, value) in headers {
        let Some(name) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let known = metadata.iter_mut().find(|(other, _)| other == name);
        bytes += value.len() + known.as_ref().map_or(name.len(), |_| ",".len());
        // Judged at once, so that what was gathered so far stays small.
        if bytes > BYTES_MAX {
            return Err(ErrorCode::MetadataTooLarge.into());
        }
        match known {
            Some((_, values)) => {
                values.push(',');
                values.push_str(&to_text(value));
            }
            None => metadata.push((name.to_owned(), to_text(value))),
        }
    }
    Ok(metadata)
}

/// A header's value as text that loses nothing: every byte is the character of that number
/// (ISO 8859-1, which HTTP's values were defined in). Clients send UTF-8 (curl, Go) or Latin-1
/// (Python's http.client, which boto3 stands on) and say neither; whoever sent bytes gets these
/// bytes again from [`to_bytes`].
pub fn to_text(value: &[u8]) -> String {
    value.iter().copied().map(char::from).collect()
}

/// The bytes of a header's value, the inverse of [`to_text`]. A character that no byte stands for,
/// of a text that did not come in a header, becomes its UTF-8.
pub fn to_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

const PREFIX: &str = "x-amz-meta-";
/// As Amazon limits it.
const BYTES_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_told_from_other_headers() {
        let headers: [(&str, &[u8]); 5] = [
            ("content-type", b"text/plain"),
            ("x-amz-meta-color", b"red"),
            ("x-amz-meta-", b""),
            ("x-amz-meta-color", b"blue"),
            ("x-amz-metadata-directive", b"COPY"),
        ];
        let metadata = user_metadata(headers).unwrap();
        assert_eq!(
            metadata,
            [
                ("color".to_owned(), "red,blue".to_owned()),
                (String::new(), String::new())
            ]
        );
    }

    #[test]
    fn names_and_values_have_two_kibibytes_together() {
        let value = vec![b'v'; 2047];
        assert!(user_metadata([("x-amz-meta-n", &value[..])]).is_ok());
        for headers in [
            vec![("x-amz-meta-nn", &value[..])],
            vec![("x-amz-meta-n", &value[..]), ("x-amz-meta-m", b"")],
            vec![("x-amz-meta-n", &value[..]), ("x-amz-meta-n", b"")],
        ] {
            let refusal = user_metadata(headers).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::MetadataTooLarge);
        }
    }

    #[test]
    fn any_bytes_come_back() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(to_bytes(&to_text(&all)), all);
        assert_eq!(to_bytes(&to_text("é€".as_bytes())), "é€".as_bytes());
        assert_eq!(to_bytes("é€"), b"\xe9\xe2\x82\xac");
    }
}
