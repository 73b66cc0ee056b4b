//! Jobs of the operator on a real catalog, real blobs and a real Drive.

mod collect;
mod destroy;
mod expire;
mod files;
mod prune;
mod reencrypt;
mod root;
mod rotate;
mod settle;
mod tenant;
mod thief;
mod vault;
mod verify;
mod world;

use super::fixture::crash_after;
