//! Where settings come from, what each may be, and how a wrong one is named.

mod example;
mod providers;
mod settings;
mod sources;
mod templates;

use std::path::Path;

use super::Config;

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_sources(Some((Path::new("b.toml"), text)), variables)
        .map_err(|error| error.to_string())
}

fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    load(text, variables).err().expect("refused")
}
