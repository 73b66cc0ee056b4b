//! Callers on a real catalog: what proves them, for how long that is believed, and what a refusal
//! lets be known.

mod bearer;
mod directory;
mod proven;
mod session;
mod signature;

use crate::ops::fixture::{Client, World};
use crate::tenancy::{NewCredentialKind, Shown};

async fn api_token(world: &World, client: &Client, lasts_ms: u64) -> (String, String) {
    let made = world.own_credential(client, NewCredentialKind::ApiToken, lasts_ms);
    let made = made.await.unwrap();
    let Shown::Bearer(token) = made.shown else {
        panic!("a token is a bearer");
    };
    (made.credential.id.to_string(), token.to_string())
}

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
