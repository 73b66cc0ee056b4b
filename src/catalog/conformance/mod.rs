//! What every store must do. Each check uses an organization of its own, so that all of them can
//! run against one store, one after the other.

mod coherence;
mod credentials;
mod keys;
mod life;
mod listings;
mod logs;
mod objects;
mod organizations;
mod pruning;
mod records;
mod reseal;
mod rotation;
mod stored;
mod twins;
mod uploads;
pub(super) mod world;

use super::Store;

/// Runs every check against a store that holds nothing.
pub(super) async fn conforms(store: &dyn Store) {
    store.ready().await.expect("a store that takes commits");
    world::make_platform_key(store).await;

    objects::buckets_are_made_found_and_deleted(store).await;
    objects::organizations_do_not_meet(store).await;
    objects::versions_are_read_as_they_were_committed(store).await;
    objects::a_commit_replaces_the_null_version(store).await;
    objects::expectations_are_judged_where_they_are_applied(store).await;
    objects::one_of_many_creates_wins(store).await;
    objects::a_conflict_leaves_its_neighbours_alone(store).await;
    objects::a_number_too_large_for_sql_is_refused_alone(store).await;

    listings::objects_are_listed_as_the_model_lists_them(store).await;
    listings::uploads_are_listed_as_the_model_lists_them(store).await;
    listings::common_prefixes_end_where_they_should(store).await;

    uploads::uploads_and_parts_are_kept(store).await;
    uploads::completing_keeps_what_the_version_names(store).await;
    uploads::an_upload_is_abandoned_only_while_it_is_idle(store).await;
    uploads::uploads_of_one_key_end_by_themselves(store).await;
    uploads::blobs_live_as_long_as_something_names_them(store).await;
    uploads::a_bucket_that_goes_takes_its_uploads_with_it(store).await;
    uploads::claims_and_commits_exclude_each_other(store).await;
    uploads::garbage_is_claimed_oldest_first(store).await;

    stored::what_is_stored_stays_within_its_limits(store).await;
    stored::one_of_many_gets_the_last_room(store).await;
    stored::use_is_counted_by_principal_and_bucket(store).await;
    stored::what_is_counted_once_is_counted_once(store).await;

    organizations::organizations_are_made_with_their_key(store).await;
    organizations::organizations_are_replaced_in_sequence(store).await;
    organizations::organizations_are_paged(store).await;
    organizations::organizations_wait_out_their_grace(store).await;
    organizations::nothing_works_after_destruction(store).await;
    organizations::a_purge_takes_as_many_rows_as_it_may(store).await;

    credentials::credentials_are_found_by_their_lookup(store).await;
    credentials::credentials_are_paged_by_principal_and_kind(store).await;
    credentials::what_expired_is_deleted(store).await;
    credentials::the_last_use_is_noted(store).await;

    records::records_are_written_found_and_deleted(store).await;
    records::records_change_together_or_not_at_all(store).await;
    records::records_are_paged_by_parent_and_state(store).await;
    records::guards_are_judged_as_of_after_the_writes(store).await;
    records::one_of_many_gets_the_last_place(store).await;
    records::records_stay_in_their_organization(store).await;
    records::a_record_names_an_open_key(store).await;
    records::an_account_finds_its_seats(store).await;
    records::what_expired_is_found_oldest_first(store).await;

    keys::keys_are_added_closed_and_deleted(store).await;
    keys::wrapped_keys_are_found_by_their_root(store).await;
    keys::a_name_key_is_made_once(store).await;
    keys::a_closed_key_takes_no_writes(store).await;
    keys::a_key_goes_when_nothing_names_it(store).await;
    keys::a_rewrap_changes_nothing_else(store).await;

    reseal::what_a_leaked_key_wrapped_is_not_wrapped_again(store).await;
    reseal::a_body_sealed_anew_takes_the_place_of_the_same(store).await;
    reseal::a_part_sealed_anew_takes_the_place_of_the_same(store).await;

    logs::segments_are_appended_in_order(store).await;
    logs::segments_of_a_time_are_read_both_ways(store).await;
    logs::segments_are_found_by_their_time(store).await;
    logs::usage_adds_up_before_and_after_it_is_folded(store).await;
    logs::changes_are_chained(store).await;
    logs::every_row_with_a_tag_is_walked(store).await;
    logs::one_node_holds_a_lease(store).await;
    logs::nodes_say_what_they_have_seen(store).await;

    coherence::caches_hear_of_changes(store).await;
    coherence::caches_hear_of_the_records_that_they_hold(store).await;

    pruning::a_census_counts_every_row_once(store).await;
    pruning::changes_are_pruned_from_where_the_log_begins(store).await;

    twins::twins_do_not_meet(store).await;

    keys::the_platforms_key_is_rotated(store).await;
    store.scrub().await.expect("a scrub");
    store.ready().await.expect("a store that takes commits");
}
