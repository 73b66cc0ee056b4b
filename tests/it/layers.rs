//! The layers: a module names only what its row in `src/README.md` allows, and a row allows only
//! what stands above it. The table there is the rule; this file reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::modules::{Layer, Mention, Modules};

#[test]
fn a_module_names_only_what_its_row_allows() {
    let breaches = breaches(&table(), &own_source());
    assert!(breaches.is_empty(), "{}", listed(&breaches));
}

#[test]
fn every_module_has_a_row_and_every_row_a_module() {
    let crates = CRATES.map(|(name, _)| name.to_owned());
    let modules: BTreeSet<Layer> = own_source().layers().into_iter().chain(crates).collect();
    let rows: BTreeSet<Layer> = table().into_keys().collect();
    assert_eq!(modules, rows, "modules on the left, rows on the right");
}

#[test]
fn the_root_only_declares_modules() {
    // What the root re-exported would have no layer.
    assert_eq!(own_source().named_by_root(), Vec::<String>::new());
}

#[test]
fn the_program_names_only_the_command_line() {
    let mut source = own_source();
    let main = Path::new("src/main.rs");
    source.add("main", main, &from_disk);
    let named = source.mentions().into_iter().filter(|m| m.by == "main");
    assert_eq!(
        named.map(|mention| mention.named).collect::<BTreeSet<_>>(),
        BTreeSet::from(["cli".to_owned()])
    );
}

#[test]
fn the_table_is_strict() {
    let head = "| module | purpose | may name |\n| --- | --- | --- |\n";
    for wrong in [
        // Not above.
        "| `a/` | one | b |\n| `b/` | two | nothing |\n",
        "| `a` `b` | two at once | nothing |\n| `c` | three | c |\n",
        // Unknown.
        "| `a/` | one | everything |\n",
        // Prose would be taken for permission.
        "| `a/` | one | nothing |\n| `b/` | two | never a |\n",
        // Twice.
        "| `a/` | one | nothing |\n| `a/` | again | nothing |\n",
    ] {
        assert!(parse_table(&format!("{head}{wrong}")).is_err(), "{wrong}");
    }
    let right =
        "| `a` `b` | two | nothing |\n| `c/` (crate) | three | a (and `b` for a reason) |\n";
    let table = parse_table(&format!("{head}{right}")).expect("a table");
    assert_eq!(table["c"], BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    assert_eq!(table["b"], BTreeSet::new());
}

/// A source tree of four layers, in which `door` may name `service` and `vocabulary` alone.
/// Each case plants one line in `door`.
#[test]
fn sees_every_kind_of_breach() {
    for planted in [
        "use crate::store::Row;",
        "use crate::{service::Service, store::{self, Row}};",
        "use crate::store as harmless;",
        "use crate::store::*;",
        "use super::super::store::Row;",
        "use crate::{self as root}; fn f(_: root::store::Row) {}",
        "pub use crate::store::Row;",
        "fn f(_: crate::store::Row) {}",
        "fn f(_: super::super::store::Row) {}",
        "fn f(_: Vec<Option<&'static crate::store::Row>>) {}",
        "fn f() -> impl Into<crate::store::Row> { 0 }",
        "fn f() { use crate::store::Row; }",
        "fn f() { crate::store::open(); }",
        "fn f() { let _ = crate::store::Row { id: 0 }; }",
        "fn f() { <crate::store::Row as Default>::default(); }",
        "fn f() { match 0 { crate::store::LIMIT => {} _ => {} } }",
        "impl crate::store::Store for () {}",
        "mod inner { fn f(_: crate::store::Row) {} }",
        "mod inner { fn f(_: super::super::super::store::Row) {} }",
        "fn f() { println!(\"{}\", crate::store::LIMIT); }",
        "fn f() { assert!(matches!(1, crate::store::LIMIT)); }",
        "fn f() { vec![vec![crate::store::LIMIT]]; }",
        "macro_rules! row { () => { $crate::store::Row } }",
        "crate::store::make!();",
        "#[derive(crate::store::Derive)] struct S;",
        "#[serde(deserialize_with = \"crate::store::parse\")] struct S;",
        // Through a module that may be named.
        "use crate::service::Row;",
        "fn f(_: crate::service::Renamed) {}",
        "fn f(_: crate::service::inner::Row) {}",
        "fn f(_: crate::service::rows::Row) {}",
        "use crate::service::*; fn f(_: Row) {}",
        "use crate::service::*; fn f(_: FromGlob) {}",
        "use crate::service as s; fn f(_: s::Row) {}",
        // Whole crates.
        "use sealed::Key;",
        "fn f(_: sealed::Key) {}",
        "fn f(_: ::sealed::Key) {}",
        "extern crate sealed as innocent; fn f(_: innocent::Key) {}",
        "use sealed as innocent;",
        "fn f(_: crate::service::Key) {}",
        "use vocabulary::Key;",
        "#[cfg(not(test))] fn f(_: crate::store::Row) {}",
        "#[cfg(any(test, unix))] fn f(_: crate::store::Row) {}",
    ] {
        let source = planted_source(planted);
        assert!(
            breaches(&planted_table(), &source)
                .iter()
                .any(|breach| breach.by == "door"),
            "not seen: {planted}"
        );
    }
}

#[test]
fn sees_no_breach_where_none_is() {
    for innocent in [
        "",
        "use crate::service::Service; fn f(_: vocabulary::Word) {}",
        "use crate::service::{Service, Word}; fn f(_: Word) {}",
        "/// As [`crate::store::Row`].\nfn f() {} // crate::store::Row",
        "const TEXT: &str = \"crate::store::Row\";",
        "#[cfg(test)] mod tests { use crate::store::Row; }",
        "#[cfg(all(test, unix))] use crate::store::Row;",
        "#[test] fn f() { crate::store::open(); }",
        "struct S; impl S { #[cfg(test)] fn f(_: crate::store::Row) {} }",
        "fn f(store: u8) -> u8 { store }",
        "fn f(sealed: u8) -> u8 { println!(\"{}\", sealed); sealed }",
        "struct S { store: u8 }",
        "mod store { pub struct Row; } fn f(_: store::Row) {}",
        "fn f(_: std::store::Row) {}",
        "use super::net::*; fn f(_: Local) {}",
    ] {
        let breaches = breaches(&planted_table(), &planted_source(innocent));
        assert!(breaches.is_empty(), "{innocent}: {}", listed(&breaches));
    }
}

#[test]
fn breaches_of_and_between_crates_are_seen() {
    let read = |path: &Path| match path.to_str()? {
        "sealed/lib.rs" => Some("mod key; use vocabulary::Word;".to_owned()),
        "sealed/key.rs" => Some("fn f(_: crate::Word) {}".to_owned()),
        "vocabulary/lib.rs" => Some("pub struct Word;".to_owned()),
        _ => None,
    };
    let mut source = Modules::default();
    source.add("vocabulary", Path::new("vocabulary/lib.rs"), &read);
    source.add("sealed", Path::new("sealed/lib.rs"), &read);
    let seen = breaches(&planted_table(), &source);
    let files: Vec<_> = seen.iter().map(|breach| breach.file.to_str()).collect();
    assert_eq!(files, [Some("sealed/key.rs"), Some("sealed/lib.rs")]);
}

/// Who may name whom.
type Table = BTreeMap<Layer, BTreeSet<Layer>>;

fn breaches(table: &Table, source: &Modules) -> Vec<Mention> {
    let may = |by: &Layer, named: &Layer| table.get(by).is_some_and(|row| row.contains(named));
    let mentions = source.mentions().into_iter();
    mentions
        .filter(|mention| !may(&mention.by, &mention.named))
        .collect()
}

fn listed(breaches: &[Mention]) -> String {
    let line = |breach: &Mention| {
        let Mention {
            by,
            named,
            file,
            path,
        } = breach;
        format!("{}: {by} may not name {named} ({path})\n", file.display())
    };
    breaches.iter().map(line).collect()
}

fn table() -> Table {
    let readme = fs::read_to_string(in_repository("src/README.md")).expect("src/README.md");
    parse_table(&readme).expect("src/README.md")
}

/// Reads the one table whose header says `may name`. A cell there holds `nothing`, or names with
/// spaces between, or names and then, in brackets, further names in backticks with their reason.
fn parse_table(text: &str) -> Result<Table, String> {
    let rows = text
        .lines()
        .skip_while(|line| !line.ends_with("| may name |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut table = Table::new();
    for row in rows {
        let [_, modules, _, may_name, _] = row.split('|').collect::<Vec<_>>()[..] else {
            return Err(format!("not three columns: {row}"));
        };
        let (plain, reasoned) = may_name.split_once('(').unwrap_or((may_name, ""));
        let allowed: BTreeSet<Layer> = plain
            .split_whitespace()
            .filter(|word| *word != "nothing")
            .chain(in_backticks(reasoned))
            .map(str::to_owned)
            .collect();
        if let Some(unknown) = allowed.iter().find(|name| !table.contains_key(*name)) {
            return Err(format!("{unknown} does not stand above: {row}"));
        }
        for module in in_backticks(modules) {
            let module = module.trim_end_matches('/').to_owned();
            if table.insert(module, allowed.clone()).is_some() {
                return Err(format!("has a row already: {row}"));
            }
        }
    }
    Ok(table)
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn own_source() -> Modules {
    let mut source = Modules::default();
    for (name, root) in CRATES {
        source.add(name, Path::new(root), &from_disk);
    }
    source.add(Modules::LAYERED, Path::new("src/lib.rs"), &from_disk);
    source
}

/// The crates that are layers as wholes, by the names under which `Cargo.toml` imports them.
const CRATES: [(&str, &str); 3] = [
    ("names", "src/names/lib.rs"),
    ("envelope", "src/envelope/lib.rs"),
    ("wire", "src/wire/lib.rs"),
];

fn from_disk(path: &Path) -> Option<String> {
    fs::read_to_string(in_repository(path)).ok()
}

fn in_repository(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn planted_source(planted: &str) -> Modules {
    let files = BTreeMap::from([
        ("vocabulary/lib.rs", "pub struct Word; pub use sealed::Key;"),
        ("sealed/lib.rs", "pub struct Key;"),
        ("src/lib.rs", "pub mod store; pub mod service; pub mod door;"),
        (
            "src/store.rs",
            "pub struct Row { pub id: u8 } pub trait Store {} pub const LIMIT: u8 = 1; pub fn open() {}",
        ),
        (
            "src/service/mod.rs",
            "mod globbed; pub mod rows { pub use super::super::store::Row; }
             pub use crate::store::{Row, Row as Renamed}; pub use sealed::Key; pub use vocabulary::Word;
             pub use globbed::*; pub mod inner { pub use crate::store::*; } pub struct Service;",
        ),
        ("src/service/globbed.rs", "pub use crate::store::Row as FromGlob;"),
        ("src/door/mod.rs", "mod net; mod planted;"),
        ("src/door/net.rs", "pub struct Local;"),
        ("src/door/planted.rs", planted),
    ]);
    let read = |path: &Path| files.get(path.to_str()?).map(|text| (*text).to_owned());
    let mut source = Modules::default();
    source.add("sealed", Path::new("sealed/lib.rs"), &read);
    source.add("vocabulary", Path::new("vocabulary/lib.rs"), &read);
    source.add(Modules::LAYERED, Path::new("src/lib.rs"), &read);
    source
}

fn planted_table() -> Table {
    let row = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    BTreeMap::from([
        ("vocabulary".to_owned(), row(&["sealed"])),
        ("sealed".to_owned(), row(&[])),
        ("store".to_owned(), row(&[])),
        (
            "service".to_owned(),
            row(&["store", "sealed", "vocabulary"]),
        ),
        ("door".to_owned(), row(&["service", "vocabulary"])),
    ])
}
