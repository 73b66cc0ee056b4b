//! What a token may do at a path, in the words of HashiCorp's policies.

use std::collections::BTreeSet;

use serde_json::Map;
use wire::kv::{Place, Target, parse_paths};

use super::answer;
use super::door::resource_of;
use super::error::KvError;
use super::routes::{LIST, Operation, ROUTES, Route};
use super::system::MOUNT_TYPE;
use crate::authz::{Action, InOrganization, RevealSecret, ShowSelf, action_named, explain};
use crate::http::pipeline::{Answer, Call};

/// Says of each path what its routes would let the caller do now. Whether anything is there is not
/// looked at.
pub(super) fn of_self(call: &Call, body: &[u8]) -> Result<Answer, KvError> {
    call.permit::<ShowSelf>(InOrganization)?;
    let paths = parse_paths(body)?;
    let is_one = paths.len() == 1;
    let mut found = Map::new();
    for path in paths {
        let capabilities: Vec<_> = capabilities(call, &path).into_iter().collect();
        if is_one {
            found.insert(ONE.to_owned(), capabilities.clone().into());
        }
        found.insert(path, capabilities.into());
    }
    answer::data_and_beside(call.id(), MOUNT_TYPE, &found)
}

fn capabilities(call: &Call, path: &str) -> BTreeSet<&'static str> {
    let target = Target::named(path).ok();
    // The path of a secret is that of a folder, too, to whoever lists.
    let listed = target.clone().and_then(|target| target.listed().ok());
    let allowed: BTreeSet<_> = [target, listed]
        .iter()
        .flatten()
        .flat_map(|target| {
            let here = ROUTES.iter().filter(|route| route.place == target.place());
            here.filter(|route| may(call, route, target))
        })
        .flat_map(names_of)
        .copied()
        .collect();
    match allowed.is_empty() {
        true => BTreeSet::from(["deny"]),
        false => allowed,
    }
}

/// Whether the permits that a route takes would be made.
fn may(call: &Call, route: &Route, target: &Target) -> bool {
    if let Target::MountOf { is_ours: false } = target {
        return false;
    }
    // What a patch makes of a value tells of it.
    let also = (route.operation == Operation::PatchValue).then_some(RevealSecret::NAME);
    let resource = resource_of(target);
    let mut actions = route.action.into_iter().chain(also);
    actions.all(|action| {
        action_named(action).is_some_and(|action| {
            let standing = call.standing();
            explain(call.caller(), call.rights(), standing, action, &*resource).is_ok()
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
