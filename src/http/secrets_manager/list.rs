use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use names::{SecretPath, SecretPrefix};
use wire::secrets_manager::{
    ErrorCode, Filter, FilterKey, ListAnswer, ListSecrets, ListedAnswer, SortBy, Tag, seconds,
};

use super::answer;
use super::asking::Asking;
use super::error::SecretsError;
use super::filter::meets;
use crate::authz::{self, Receipt, UnderPath};
use crate::http::pipeline::Answer;
use crate::vault::{Description, Order, OrderBy, OrderPlace, SecretPage, State};

/// ListSecrets.
pub(super) async fn secrets(
    asking: Asking<'_>,
    which: ListSecrets,
) -> Result<Answer, SecretsError> {
    let order = Order {
        by: match which.by {
            SortBy::Created => OrderBy::Created,
            SortBy::Changed => OrderBy::Changed,
            SortBy::Name => OrderBy::Path,
        },
        descending: which.descending,
    };
    let wanted = |secret: &Description| {
        (which.with_deleted || secret.state == State::Active) && meets(secret, &which.filters)
    };
    let max = which.max.unwrap_or(PAGE_MAX);
    let (page, next) = page(asking, &which.filters, order, which.next, max, wanted).await?;
    let secrets = page.secrets.iter();
    let shown = ListAnswer {
        secret_list: secrets
            .map(|secret| ListedAnswer {
                secret_versions_to_stages: Some(stages(secret)),
                ..listed(asking, secret)
            })
            .collect(),
        next_token: next,
    };
    answer::document(asking.call, &shown, Receipt::default())
}

/// A page of the secrets that filters let through, and where the next one begins.
pub(super) async fn page(
    asking: Asking<'_>,
    filters: &[Filter],
    order: Order,
    next: Option<String>,
    max: usize,
    wanted: impl Fn(&Description) -> bool,
) -> Result<(SecretPage, Option<String>), SecretsError> {
    let after = match next {
        Some(token) => Some(place_of(order, &token).ok_or_else(|| {
            SecretsError::new(
                ErrorCode::InvalidNextToken,
                "The NextToken is not one of this listing.",
            )
        })?),
        None => None,
    };
    let permit = asking.call.permit::<authz::ListSecrets>(under(filters))?;
    let page = asking
        .vault()
        .list_in_order(permit, order, after.as_ref(), max, wanted)
        .await?;
    let last = page.secrets.last().filter(|_| page.truncated);
    let next = last.map(|last| token(order, &order.place(last)));
    Ok((page, next))
}

/// Below which path everything lies that filters let through: who may list a part of the secrets
/// asks for that part by a filter of names.
pub(super) fn under(filters: &[Filter]) -> UnderPath {
    let prefix = filters.iter().find_map(|filter| match &filter.values[..] {
        [value] if filter.key == FilterKey::Name && !value.starts_with('!') => {
            SecretPrefix::parse(value).ok()
        }
        _ => None,
    });
    UnderPath {
        prefix: prefix.unwrap_or_default(),
    }
}

/// A secret as listings and descriptions show it.
pub(super) fn listed(asking: Asking<'_>, secret: &Description) -> ListedAnswer {
    let description = secret.description.clone();
    ListedAnswer {
        secret: asking.named(secret),
        description: (!description.is_empty()).then_some(description),
        created_date: seconds(secret.created_ms),
        last_changed_date: seconds(secret.changed_ms),
        deleted_date: match secret.state {
            State::Active => None,
            State::Deleted { at_ms } => Some(seconds(at_ms)),
        },
        tags: secret
            .tags
            .iter()
            .map(|(key, value)| Tag {
                key: key.clone(),
                value: value.clone(),
            })
            .collect(),
        secret_versions_to_stages: None,
    }
}

/// The stages of the versions that have any.
pub(super) fn stages(secret: &Description) -> BTreeMap<String, Vec<String>> {
    let versions = secret.versions.iter();
    versions
        .filter(|version| !version.stages.is_empty())
        .map(|version| (version.name.clone(), version.stages.clone()))
        .collect()
}

/// Tells where a page ended, by a secret that its receiver was shown.
fn token(order: Order, place: &OrderPlace) -> String {
    let text = format!("{}.{}.{}", order_name(order), place.ms, place.path);
    URL_SAFE_NO_PAD.encode(text)
}

fn place_of(order: Order, token: &str) -> Option<OrderPlace> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let mut parts = text.splitn(3, '.');
    if parts.next()? != order_name(order) {
        return None;
    }
    Some(OrderPlace {
        ms: parts.next()?.parse().ok()?,
        path: SecretPath::parse(parts.next()?).ok()?,
    })
}

fn order_name(order: Order) -> &'static str {
    match (order.by, order.descending) {
        (OrderBy::Path, false) => "name",
        (OrderBy::Path, true) => "name-desc",
        (OrderBy::Created, false) => "created",
        (OrderBy::Created, true) => "created-desc",
        (OrderBy::Changed, false) => "changed",
        (OrderBy::Changed, true) => "changed-desc",
    }
}

/// As Amazon bounds a page, also of who asks for none.
const PAGE_MAX: usize = 100;
