//! House rules that a reader could check by hand, checked by machine.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Ident, TokenStream, TokenTree};

#[test]
fn source_files_stay_readable() {
    let long = rust_files(&["src"])
        .filter(|(path, _)| path.file_name() != Some("tests.rs".as_ref()))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX);
    assert_none(
        "has more than 600 lines",
        long.map(|(path, lines)| format!("{path:?}: {lines}")),
    );
}

#[test]
fn nothing_is_left_to_do_and_no_test_is_left_out() {
    let found = rust_files(&["src", "tests", "fuzz"]).flat_map(|(path, text)| {
        words(&text)
            .into_iter()
            .filter(|word| is_unfinished(word))
            .map(move |word| format!("{path:?}: {word}"))
    });
    assert_none("unfinished, or skipped", found);
}

#[test]
fn danger_stays_where_it_is_named() {
    let mut found = Vec::new();
    for (path, text) in rust_files(&["src"]).filter(|(path, _)| !is_test(path)) {
        let place = path.to_str().expect("UTF-8");
        let product = text.split("#[cfg(test)]\nmod tests {").next();
        let dangers = words(product.unwrap_or_default()).into_iter();
        found.extend(
            dangers
                .filter(|word| word.starts_with("danger_"))
                .filter(|word| !DANGER.contains(&(place, word)))
                .map(|word| format!("{place}: {word}")),
        );
    }
    assert_none("dangerous outside its place", found.into_iter());
}

#[test]
fn unfinished_words_are_seen_and_their_mention_is_not() {
    let seen = |text: &str| {
        words(text)
            .iter()
            .filter(|word| is_unfinished(word))
            .count()
    };
    let (todo, skip) = (["to", "do!()"].concat(), ["#[ig", "nore]"].concat());
    assert_eq!(seen(&format!("fn f() {{ {todo} }}")), 1);
    assert_eq!(seen(&format!("fn f() {{ println!(\"{{}}\", {todo}) }}")), 1);
    assert_eq!(seen(&format!("#[test] {skip} fn f() {{}}")), 1);
    assert_eq!(
        seen(&format!("// {todo}\nconst TEXT: &str = \"{todo}\";")),
        0
    );
    assert_eq!(seen("let todo = ignore(1);"), 0);
}

/// What has an explicit key, seed or irrevocable effect, and the one file that may say its name.
const DANGER: [(&str, &str); 8] = [
    ("src/entropy.rs", "danger_seeded"),
    ("src/envelope/kek.rs", "danger_from_bytes"),
    ("src/envelope/lib.rs", "danger_seal_record_as"),
    ("src/envelope/whole.rs", "danger_seal_record_as"),
    ("src/keyring/root_file.rs", "danger_destroy"),
    ("src/keyring/rotation.rs", "danger_destroy"),
    ("src/keyring/rotation.rs", "danger_destroy_root_version"),
    ("src/ops/root.rs", "danger_destroy_root_version"),
];

const LINES_MAX: usize = 600;

/// Tests, and the conformance suites that every implementation runs as tests.
fn is_test(path: &Path) -> bool {
    path.with_extension("")
        .iter()
        .any(|part| part == "tests" || part == "conformance")
}

/// A macro call or an attribute, with its punctuation.
fn is_unfinished(word: &str) -> bool {
    ["todo!", "unimplemented!", "#[ignore]"].contains(&word)
}

/// The identifiers of a text, without comments and strings; `name!` for a macro's and `#[name]`
/// for an attribute's.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let tokens: TokenStream = text.parse().expect("Rust");
    collect(tokens, false, &mut found);
    found
}

fn collect(tokens: TokenStream, is_attribute: bool, found: &mut Vec<String>) {
    let mut last: Option<Ident> = None;
    let mut after_hash = false;
    for token in tokens {
        if let Some(ident) = last.take() {
            let is_macro = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '!');
            found.push(format!("{ident}{}", if is_macro { "!" } else { "" }));
        }
        match token {
            TokenTree::Ident(ident) if is_attribute => found.push(format!("#[{ident}]")),
            TokenTree::Ident(ident) => last = Some(ident),
            TokenTree::Group(group) => collect(group.stream(), after_hash, found),
            TokenTree::Punct(punct) => {
                after_hash = punct.as_char() == '#' || (after_hash && punct.as_char() == '!');
                continue;
            }
            TokenTree::Literal(_) => {}
        }
        after_hash = false;
    }
    found.extend(last.map(|ident| ident.to_string()));
}

/// Every Rust file below the directories, with its text.
fn rust_files(directories: &[&str]) -> impl Iterator<Item = (PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<PathBuf> = directories.iter().map(|name| root.join(name)).collect();
    open.retain(|directory| directory.exists());
    let mut files = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a file");
                let path = path.strip_prefix(root).expect("below the root").to_owned();
                files.push((path, text));
            }
        }
    }
    files.into_iter()
}

fn assert_none(what: &str, found: impl Iterator<Item = String>) {
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}
