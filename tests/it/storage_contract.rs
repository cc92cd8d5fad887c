//! What every store must do: one suite against the traits, instantiated per backend at the end of this
//! file. The audience index has a suite of its own, `audience_property`.

mod audit;
mod campaigns;
mod devices;
mod documents;
mod labels;
mod notifications;
mod rates;
mod suggestions;

use crate::support::stores::{Backend, EmbeddedBackend, MongoBackend};
use fanfare::storage::embedded::{Embedded, EmbeddedOptions};

/// Runs every case of the suite on a backend.
macro_rules! contract {
    ($name:ident, $backend:ty, [$($module:ident :: $case:ident),* $(,)?]) => {
        mod $name {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    super::$module::$case(&<$backend>::fresh().await).await;
                }
            )*
        }
    };
}

/// The cases, for every backend.
macro_rules! whole_contract {
    ($name:ident, $backend:ty) => {
        contract!(
            $name,
            $backend,
            [
                devices::a_device_is_made_once_and_updated_after,
                devices::a_token_belongs_to_the_newest_registration,
                devices::one_refused_refuses_no_other,
                devices::edits_and_removal,
                devices::types_come_back_exactly,
                devices::pruning_spares_a_newer_token,
                devices::a_pruning_can_be_undone,
                devices::search_pages_in_a_stable_order,
                devices::a_search_answers_so_many_bytes,
                devices::counts_say_who_can_be_reached,
                devices::apps_do_not_see_each_other,
                devices::concurrent_registrations_of_one_device_make_one,
                devices::everything_is_there_after_reopening,
                campaigns::planning_twice_changes_nothing,
                campaigns::pages_tile_the_audience_in_one_order,
                campaigns::a_page_in_flight_is_found_again,
                campaigns::recording_a_page_again_replaces_it,
                campaigns::a_round_sends_failures_again,
                campaigns::a_device_has_its_history,
                campaigns::outdated_campaigns_are_dropped_and_totals_stay,
                campaigns::what_is_unknown_is_not_found,
                notifications::a_stale_update_changes_nothing,
                notifications::a_key_makes_one_notification,
                notifications::a_key_of_an_update_is_remembered_with_it,
                notifications::lists_are_filtered_sorted_and_cut,
                notifications::titles_are_searched_in_whatever_case,
                notifications::reports_add_up_whatever_else_changes,
                notifications::everything_of_it_comes_back,
                audit::entries_are_listed_newest_first_and_filtered,
                audit::entries_are_kept_for_as_long_as_was_said,
                documents::a_document_is_kept_once_and_changed_by_whoever_read_it,
                documents::drawers_do_not_see_each_other,
                documents::documents_are_listed_in_the_order_of_their_keys,
                documents::what_has_expired_is_as_if_it_were_not_there,
                documents::of_many_inserts_at_once_one_is_kept,
                labels::labels_change_together_or_not_at_all,
                labels::labels_are_counted_whoever_set_them,
                labels::a_tag_and_an_alias_are_taken_away_by_platform,
                labels::every_tag_is_listed_however_they_lie,
                labels::quotas_hold_and_what_ends_makes_room,
                labels::callers_at_once_cannot_take_the_same_place,
                rates::a_changed_rate_stays_until_it_is_reset,
                rates::changes_at_once_lose_nothing,
                suggestions::keys_are_listed_by_how_they_begin,
                suggestions::values_are_listed_by_how_they_are_written,
                suggestions::values_of_a_devices_own_fields_are_listed,
            ]
        );
    };
}

whole_contract!(embedded, EmbeddedBackend);
whole_contract!(mongo, MongoBackend);

#[tokio::test]
async fn a_second_process_is_refused_with_the_holders_name() {
    let backend = EmbeddedBackend::fresh().await;
    let held = backend.open().await;
    let refused = Embedded::open(backend.path(), EmbeddedOptions::default()).await;
    let message = refused.err().expect("refused").public_message();
    assert!(message.contains(&backend.path().display().to_string()), "{message}");
    assert!(message.contains(&std::process::id().to_string()), "{message}");
    drop(held);
    backend.open().await;
}
