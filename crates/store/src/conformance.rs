//! What every store has to do, as tests that each of them runs.
//!
//! A store's crate has one integration test that says `store::conformance!(open)`, where `open` is an async function from
//! a schema to a fixture: a value with a field `store` and an async method `close`.

#![expect(clippy::expect_used, clippy::panic, reason = "these are tests")]
#![expect(missing_docs, reason = "the names of the tests are sentences")]

pub mod concurrency;
pub mod edits;
pub mod journal;
pub mod keys;
pub mod lists;
pub mod own;
pub mod references;
pub mod rows;
pub mod rules;
pub mod schema;
pub mod unique;
pub mod world;

/// Makes a test of every promise, against the stores that `$open` opens.
#[macro_export]
macro_rules! conformance {
    ($open:path) => {
        $crate::conformance! { $open;
            rows: values_of_every_shape_come_back_as_they_were, nulls_and_empty_lists_differ, a_record_that_is_absent_is_none,
                texts_of_any_kind_are_kept;
            lists: a_list_has_a_total_order_with_nulls_first, pages_neither_skip_nor_repeat, an_offset_passes_over,
                a_count_counts_all_that_match, folded_text_sorts_without_case, filters_choose;
            rules: a_rule_through_a_relation_decides_who_reads, a_rule_through_a_relation_decides_who_writes,
                a_field_that_is_closed_is_left_out, what_was_judged_in_memory_is_judged_alike_by_the_database;
            unique: a_taken_field_is_named, text_that_folds_is_taken_in_any_case, fields_of_an_index_are_taken_together,
                nulls_are_never_taken, an_id_is_taken_once,
                creations_together_are_as_if_one_after_another;
            references: a_missing_target_is_named, a_missing_target_in_a_list_is_named, what_is_referred_to_stays_where_restricted,
                what_refers_goes_along_where_cascading, a_reference_is_emptied_where_so_said, a_deleted_record_leaves_lists,
                a_cycle_goes_as_a_whole, a_long_chain_goes_as_a_whole;
            edits: a_patch_changes_what_it_names, increments_add_up, lists_are_appended_to_and_removed_from,
                a_merge_patch_merges, a_revision_guards_a_change, a_put_creates_where_clients_name_ids, nothing_changed_is_nothing_written;
            journal: every_write_is_logged_with_before_and_after, a_cascade_is_logged_record_by_record,
                a_failed_batch_leaves_nothing, sequences_grow_without_gaps, the_log_is_trimmed_and_goes_on;
            concurrency: strangers_do_not_suffer_from_conflicts, increments_of_many_add_up, ids_are_never_given_twice,
                the_log_is_read_in_order_while_it_is_written, references_hold_while_their_targets_go,
                batches_that_change_the_same_records_the_other_way_about_all_succeed,
                puts_of_the_same_new_record_make_it_once;
            own: values_of_our_own_tables_come_back, what_was_expected_and_does_not_come_rolls_back,
                statements_beside_a_write_share_its_fate, a_row_is_taken_once;
            keys: the_schema_is_compared;
        }
    };
    ($open:path; $($module:ident: $($name:ident),+;)+) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let fixture = $open(&$crate::conformance::schema::schema()).await;
                let world = $crate::conformance::world::World::new(::std::sync::Arc::clone(&fixture.store));
                let outcome = ::tokio::spawn(async move { $crate::conformance::$module::$name(&world).await }).await;
                fixture.close().await;
                if let Err(error) = outcome {
                    ::std::panic::resume_unwind(error.into_panic());
                }
            })+
        })+
    };
}
