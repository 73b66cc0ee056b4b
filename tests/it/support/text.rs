//! XML answers, read as text.

/// The contents of every element of this name that holds only text, in order.
pub fn elements<'a>(body: &'a [u8], name: &str) -> Vec<&'a str> {
    let text = std::str::from_utf8(body).expect("UTF-8");
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let after = text.split(open.as_str()).skip(1);
    after
        .map(|rest| rest.split_once(close.as_str()).expect("its end").0)
        .collect()
}

/// The content of the one element of this name.
pub fn element<'a>(body: &'a [u8], name: &str) -> &'a str {
    let found = elements(body, name);
    assert_eq!(found.len(), 1, "{name}");
    found[0]
}
