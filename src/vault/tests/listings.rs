use names::SecretPath;

use super::world::{World, secret, secret_of};
use crate::authz::ListSecrets;
use crate::vault::{Deletion, Description, SecretPage};

fn paths(page: &SecretPage) -> Vec<&str> {
    page.secrets
        .iter()
        .map(|secret| secret.path.as_str())
        .collect()
}

fn all(_: &Description) -> bool {
    true
}

#[tokio::test]
async fn secrets_are_listed_by_path_a_page_at_a_time() {
    let world = World::open().await;
    for path in ["b/2", "a", "b/10", "b/1", "c"] {
        world.create(path, "x").await.unwrap();
    }
    let permit = secret_of(world.theirs, "b/theirs");
    world.vault.create(permit, secret("x")).await.unwrap();

    let list = async |prefix: &str, after: Option<&str>, max| {
        let after = after.map(|after| SecretPath::parse(after).unwrap());
        let permit = world.may_list::<ListSecrets>(prefix);
        world
            .vault
            .list(permit, after.as_ref(), max, all)
            .await
            .unwrap()
    };
    let page = list("", None, 2).await;
    assert_eq!((paths(&page), page.truncated), (vec!["a", "b/1"], true));
    let page = list("", Some("b/1"), 3).await;
    assert_eq!(
        (paths(&page), page.truncated),
        (vec!["b/10", "b/2", "c"], false)
    );
    let page = list("b/", None, 9).await;
    assert_eq!(paths(&page), ["b/1", "b/10", "b/2"]);
    let page = list("nothing", None, 9).await;
    assert_eq!(paths(&page), Vec::<&str>::new());
}

#[tokio::test]
async fn a_listing_follows_every_change() {
    let world = World::open().await;
    let listed = async || {
        let permit = world.may_list::<ListSecrets>("");
        let page = world.vault.list(permit, None, 9, all).await.unwrap();
        page.secrets
            .iter()
            .map(|secret| (secret.path.to_string(), secret.versions.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(listed().await, []);
    world.create("a", "one").await.unwrap();
    assert_eq!(listed().await, [("a".to_owned(), 1)]);
    world.put("a", "two").await.unwrap();
    world.create("b", "one").await.unwrap();
    assert_eq!(listed().await, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    world
        .vault
        .delete(world.may("a"), Deletion::Now)
        .await
        .unwrap();
    assert_eq!(listed().await, [("b".to_owned(), 1)]);
}
