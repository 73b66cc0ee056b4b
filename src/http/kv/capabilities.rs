//! What a token may do at a path, in the words of HashiCorp's policies.

use std::collections::BTreeSet;

use serde_json::Map;
use wire::kv::{Place, Target, parse_paths};

use super::answer;
use super::door::resource_of;
use super::error::KvError;
use super::routes::{LIST, Operation, ROUTES, Route};
use super::service::Kv;
use super::system::MOUNT_TYPE;
use crate::authz::{
    Action, InOrganization, Resource, RevealSecret, ShowSelf, action_named, explain,
};
use crate::http::pipeline::{Answer, Call};

/// Says of each path what its routes would let the caller do now. Whether anything is there is not
/// told.
pub(super) async fn of_self(kv: &Kv, call: &Call, body: &[u8]) -> Result<Answer, KvError> {
    call.permit::<ShowSelf>(InOrganization)?;
    let paths = parse_paths(body)?;
    let is_one = paths.len() == 1;
    let mut found = Map::new();
    for path in paths {
        let capabilities = capabilities(kv, call, &path).await?;
        let capabilities: Vec<_> = capabilities.into_iter().collect();
        if is_one {
            found.insert(ONE.to_owned(), capabilities.clone().into());
        }
        found.insert(path, capabilities.into());
    }
    answer::data_and_beside(call.id(), MOUNT_TYPE, &found)
}

async fn capabilities(kv: &Kv, call: &Call, path: &str) -> Result<BTreeSet<&'static str>, KvError> {
    let target = Target::named(path).ok();
    // The path of a secret is that of a folder, too, to whoever lists.
    let listed = target.clone().and_then(|target| target.listed().ok());
    let mut allowed = BTreeSet::new();
    for target in [target, listed].into_iter().flatten() {
        let resource: Box<dyn Resource> = match &target {
            Target::MountOf { is_ours: false } => continue,
            Target::Secret(_, path) => Box::new(call.secret(&kv.vault, path.clone()).await?),
            other => resource_of(other),
        };
        let here = ROUTES.iter().filter(|route| route.place == target.place());
        let here = here.filter(|route| may(call, route, &*resource));
        allowed.extend(here.flat_map(names_of));
    }
    Ok(match allowed.is_empty() {
        true => BTreeSet::from(["deny"]),
        false => allowed,
    })
}

/// Whether the permits that a route takes would be made.
fn may(call: &Call, route: &Route, resource: &dyn Resource) -> bool {
    // What a patch makes of a value tells of it.
    let also = (route.operation == Operation::PatchValue).then_some(RevealSecret::NAME);
    let mut actions = route.action.into_iter().chain(also);
    actions.all(|action| {
        action_named(action).is_some_and(|action| {
            let standing = call.standing();
            explain(call.caller(), call.rights(), standing, action, resource).is_ok()
        })
    })
}

/// What the methods of a route are to a policy. Where something is made that may be there already,
/// one method does both.
fn names_of(route: &Route) -> &'static [&'static str] {
    match (route.methods.first().copied(), route.place) {
        (Some("GET"), _) => &["read"],
        (Some(LIST), _) => &["list"],
        (Some("PATCH"), _) => &["patch"],
        (Some("DELETE"), _) => &["delete"],
        (_, Place::Data | Place::Metadata) => &["create", "update"],
        _ => &["update"],
    }
}

/// Where they are once more, if they are those of one path.
const ONE: &str = "capabilities";
