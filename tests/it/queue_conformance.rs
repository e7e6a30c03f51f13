//! What every queue must do. A back end brings a [`Bench`](bench::Bench) and one line of `queue_conformance!`; the
//! claims stand once, in the files of this folder.

mod bench;
mod closing;
mod embedded;
mod publishing;
mod rabbitmq;
mod receiving;
mod settling;

/// Makes a test of each claim, against a new bench.
macro_rules! queue_conformance {
    ($bench:expr) => {
        $crate::queue_conformance::queue_conformance! { @claims $bench;
            publishing::published_message_survives_a_restart;
            publishing::batch_survives_a_restart;
            publishing::concurrent_publishers_each_get_their_own_result;
            publishing::largest_message_is_taken_and_a_larger_one_refused;
            publishing::batch_with_a_too_large_message_is_refused_whole;
            publishing::empty_batch_is_nothing;
            publishing::same_message_twice_is_handed_out_twice;
            receiving::messages_come_in_the_order_of_their_publication;
            receiving::up_to_max_are_handed_out_and_none_twice;
            receiving::concurrent_receivers_share_without_doubles;
            receiving::queues_are_separate;
            receiving::receive_waits_for_a_message;
            receiving::delayed_message_is_not_early_and_holds_up_no_other;
            receiving::delay_outlasts_a_restart;
            receiving::cancelled_receive_loses_nothing;
            settling::done_message_is_gone_after_a_restart;
            settling::returned_message_comes_again_unmarked;
            settling::again_puts_the_next_message_in_its_place;
            settling::again_may_move_to_another_queue;
            settling::again_waits_for_its_delay;
            settling::message_not_settled_comes_again_marked;
            settling::receipt_of_an_earlier_run_is_ignored;
            settling::receipt_is_good_once;
            settling::many_are_settled_at_once;
            closing::close_wakes_whoever_waits;
            closing::closed_queue_refuses;
            closing::depths_count;
        }
    };
    (@claims $bench:expr; $($file:ident :: $claim:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $claim() {
            $crate::queue_conformance::$file::$claim(&$bench).await;
        }
    )*};
}
pub(crate) use queue_conformance;
