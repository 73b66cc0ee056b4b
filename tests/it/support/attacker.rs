//! Whoever can write the catalog's file and the directory of blobs, and holds no key.

use std::fs;
use std::path::{Path, PathBuf};

use names::BlobId;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::house::House;

/// Holds the files of a house. What it changes, no log of changes tells of.
pub struct Attacker {
    catalog: Connection,
    data: PathBuf,
}

/// Rows as they stood before they were tampered with.
pub struct Before {
    table: &'static str,
    among: String,
    rows: Vec<Vec<Value>>,
}

impl Attacker {
    /// Opens the files of a house, whether its server runs or not.
    pub fn at(house: &House) -> Self {
        let data = house.data();
        let path = data.join("catalog.sqlite");
        let catalog = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
        Self {
            catalog: catalog.expect("a catalog"),
            data,
        }
    }

    /// Changes rows and returns how many.
    pub fn change(&self, sql: &str) -> usize {
        let changed = self.catalog.execute(sql, []);
        changed.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Lets `edit` change rows of a table, all at once for a server that runs, and keeps what stood
    /// there. The condition `among` has to hold of what it changes, before and after.
    pub fn tamper(&self, table: &'static str, among: &str, edit: impl FnOnce()) -> Before {
        let find = || self.rows(&format!("SELECT * FROM {table} WHERE {among}"));
        let rows = find();
        self.at_once(edit);
        assert_ne!(rows, find(), "rows of {table} where {among}");
        Before {
            table,
            among: among.to_owned(),
            rows,
        }
    }

    /// Undoes it, all at once.
    pub fn put_back(&self, before: Before) {
        let Before { table, among, rows } = before;
        self.at_once(|| {
            self.change(&format!("DELETE FROM {table} WHERE {among}"));
            for row in rows {
                self.put(table, row);
            }
        });
    }

    fn at_once(&self, edit: impl FnOnce()) {
        let run = |sql| self.catalog.execute_batch(sql).expect(sql);
        run("BEGIN IMMEDIATE");
        edit();
        run("COMMIT");
    }

    /// The bytes in the first column of what a query finds.
    pub fn find(&self, sql: &str) -> Vec<Vec<u8>> {
        let found = self.rows(sql).into_iter().map(|row| match row.first() {
            Some(Value::Blob(bytes)) => bytes.clone(),
            other => panic!("{sql}: {other:?}"),
        });
        found.collect()
    }

    /// The bytes in the one row that a query finds.
    pub fn find_one(&self, sql: &str) -> Vec<u8> {
        let mut found = self.find(sql);
        assert_eq!(found.len(), 1, "{sql}");
        found.remove(0)
    }

    /// What two rows of a table hold, exchanged in these columns. Done again it is undone, as long
    /// as `rows`, two conditions, name the rows by other columns.
    pub fn exchange(&self, table: &str, columns: &[&str], rows: [String; 2]) {
        let names = self.columns(table);
        let [mut one, mut other] = rows.map(|which| self.take(table, &which));
        for (place, name) in names.iter().enumerate() {
            if columns.contains(&name.as_str()) {
                std::mem::swap(&mut one[place], &mut other[place]);
            }
        }
        for row in [one, other] {
            self.put(table, row);
        }
    }

    /// As [`exchange`](Self::exchange), in all columns but these.
    pub fn exchange_all_but(&self, table: &str, columns: &[&str], rows: [String; 2]) {
        let names = self.columns(table);
        let others = names.iter().map(String::as_str);
        let others: Vec<_> = others.filter(|name| !columns.contains(name)).collect();
        self.exchange(table, &others, rows);
    }

    /// Puts in a copy of the one row that a condition names, with other values, as SQL spells them,
    /// in some columns.
    pub fn copy(&self, table: &str, which: &str, changes: &[(&str, &str)]) {
        let columns = self.columns(table);
        let values = columns.iter().map(|name| {
            let change = changes.iter().find(|(changed, _)| changed == name);
            change.map_or(name.as_str(), |(_, value)| *value)
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let sql = format!("INSERT INTO {table} SELECT {values} FROM {table} WHERE {which}");
        assert_eq!(self.change(&sql), 1, "{sql}");
    }

    /// Changes the one row that a condition names.
    pub fn alter(&self, table: &str, which: &str, assignments: &str) {
        let sql = format!("UPDATE {table} SET {assignments} WHERE {which}");
        assert_eq!(self.change(&sql), 1, "{sql}");
    }

    /// Takes the one row out that a condition names.
    pub fn take(&self, table: &str, which: &str) -> Vec<Value> {
        let mut found = self.rows(&format!("SELECT * FROM {table} WHERE {which}"));
        assert_eq!(found.len(), 1, "rows of {table} where {which}");
        self.change(&format!("DELETE FROM {table} WHERE {which}"));
        found.remove(0)
    }

    /// Puts a row in.
    pub fn put(&self, table: &str, row: Vec<Value>) {
        let places = vec!["?"; row.len()].join(", ");
        let sql = format!("INSERT INTO {table} VALUES ({places})");
        let put = self.catalog.execute(&sql, params_from_iter(row));
        assert_eq!(put.unwrap_or_else(|error| panic!("{sql}: {error}")), 1);
    }

    /// All that a query finds.
    pub fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        let mut query = self.catalog.prepare(sql).expect("a query");
        let width = query.column_count();
        let rows = query.query_map([], |row| (0..width).map(|place| row.get(place)).collect());
        rows.expect("rows").map(|row| row.expect("a row")).collect()
    }

    /// The file of a blob.
    pub fn file(&self, blob: &[u8]) -> PathBuf {
        let blob = BlobId::from_slice(blob).expect("an identifier");
        let found = blob_files(&self.data).into_iter();
        let mut found = found.filter(|path| blob_of(path) == blob);
        found.next().unwrap_or_else(|| panic!("no file of {blob}"))
    }

    fn columns(&self, table: &str) -> Vec<String> {
        let query = self.catalog.prepare(&format!("SELECT * FROM {table}"));
        let names = query.expect("a table");
        names.column_names().map(str::to_owned).collect()
    }
}

/// Bytes as SQL spells them.
pub fn literal(bytes: &[u8]) -> String {
    format!("X'{}'", hex::encode(bytes))
}

/// Exchanges what two files hold.
pub fn exchange_files(one: &Path, other: &Path) {
    let aside = one.with_extension("aside");
    for (from, to) in [(one, &*aside), (other, one), (&*aside, other)] {
        fs::rename(from, to).expect("a file of our own");
    }
}

/// The files of all blobs below a data directory.
pub fn blob_files(data: &Path) -> Vec<PathBuf> {
    let mut paths = vec![data.join("blobs/orgs")];
    for _ in 0..3 {
        let below = paths.iter().flat_map(|path| {
            let entries = fs::read_dir(path).expect("a directory");
            entries.map(|entry| entry.expect("an entry").path())
        });
        paths = below.collect();
    }
    paths
}

/// The blob whose file it is.
pub fn blob_of(path: &Path) -> BlobId {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok()).expect("a blob")
}
