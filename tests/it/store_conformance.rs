//! What every store must do. A back end brings a [`Bench`] and one line of `store_conformance!`; the claims stand
//! once, in the files of this folder.

mod applying;
mod bench;
mod events;
mod history;
mod letters;
mod lookups;
mod migrations;
mod postgres;
mod posts;
mod speed;
mod sqlite;
mod upkeep;

/// Makes a test of each claim, against a new bench.
macro_rules! store_conformance {
    ($bench:expr) => {
        $crate::store_conformance::store_conformance! { @claims $bench;
            applying::start_makes_a_meeting_that_is_found_again;
            applying::double_is_known_by_source_and_key_after_reopening;
            applying::double_repeats_what_is_owed;
            applying::two_hooks_of_one_post_are_one_event;
            applying::other_content_is_a_conflict_and_changes_nothing;
            applying::foreign_event_moves_nothing_and_its_double_is_known;
            applying::end_of_nothing_is_told_each_time;
            applying::batch_ends_where_single_events_end;
            applying::batch_answers_in_its_order;
            applying::running_meeting_is_kept_when_another_is_begun_beside_it;
            applying::end_within_a_batch_frees_the_place_for_its_later_events;
            applying::failed_batch_writes_nothing;
            applying::damaged_meeting_is_refused_by_its_id_and_stops_no_other;
            applying::absurd_rule_stops_nobody_else;
            applying::posts_count_in_what_an_event_owes;
            applying::concurrent_batches_lose_nothing;
            lookups::request_and_alias_lead_to_the_meeting;
            lookups::session_alone_leads_to_the_meeting;
            lookups::breakout_session_alone_leads_to_the_meeting;
            lookups::room_leads_to_the_meeting_of_an_unknown_session;
            lookups::artifact_leads_to_its_meeting;
            lookups::unknown_things_are_nothing;
            lookups::place_finds_the_newest_running_meeting_only;
            lookups::listing_is_filtered_and_newest_first;
            lookups::f22_channel_holds_what_runs_in_its_threads;
            lookups::running_meetings_of_a_channel_stay_capped;
            lookups::listing_of_thousands_stays_capped;
            lookups::due_meetings_come_longest_first;
            lookups::meeting_that_owes_nothing_is_never_due;
            lookups::woken_meeting_is_due_again_later_in_another_round;
            lookups::running_meetings_are_counted;
            posts::row_comes_back_whole;
            posts::row_is_replaced_as_a_whole;
            posts::rows_are_loaded_with_their_meeting_only;
            posts::row_of_no_meeting_is_refused;
            posts::lease_is_held_until_it_runs_out;
            posts::owner_renews_its_lease;
            posts::dropped_lease_is_free_and_only_its_owner_drops_it;
            posts::one_of_many_takers_gets_the_lease;
            posts::duty_is_held_renewed_and_given_back_like_a_lease;
            letters::letter_comes_back_whole;
            letters::burying_twice_replaces;
            letters::listing_is_newest_first_capped_and_without_bodies;
            letters::listing_keeps_to_its_filter;
            letters::removed_letter_is_gone_and_told_once;
            letters::letter_buried_anew_is_not_removed_with_the_one_before;
            upkeep::marks_count_until_a_verdict;
            upkeep::setting_is_replaced;
            upkeep::concurrent_callers_agree_on_a_setting;
            upkeep::story_tells_what_was_applied_in_order;
            upkeep::story_is_capped;
            history::every_event_is_found_by_its_id_whatever_became_of_it;
            history::meeting_is_found_by_every_id_that_belongs_to_it;
            history::dead_letter_is_found_by_its_id_and_leads_to_its_meeting;
            history::settled_events_are_those_with_a_line_or_a_letter;
            history::attempt_comes_back_whole_and_in_order;
            history::newest_attempts_of_a_meeting_are_kept;
            history::notes_are_found_by_meeting_and_by_subject;
            history::old_attempts_and_notes_are_pruned;
            upkeep::prune_forgets_old_keys_and_lines_only;
            upkeep::everything_survives_reopening;
            upkeep::closed_store_is_away;
        }
    };
    (@claims $bench:expr; $($file:ident :: $claim:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $claim() {
            $crate::store_conformance::$file::$claim(&$bench).await;
        }
    )*};
}
pub(crate) use store_conformance;
