"""Which tests show that a fault is survived: the rows of the list of faults, F1 to F40 (there is no F19).

A test is named PATH::NAME, or PATH for all of a file. A row may not be tested here at all: then it says why.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """fault: in a few words. untested: why no test here shows it, or a part of it that none shows."""

    number: int
    fault: str
    tests: tuple[str, ...] = ()
    untested: str = ""

    @property
    def name(self) -> str:
        return f"F{self.number}"


DATA, TRAINING, SERVE, AUDIO = "tests/data", "tests/training", "tests/app/serve", "tests/audio/files"
GENERATE, BUNDLE, LOOP = "tests/app/generate", "tests/bundle", "tests/training/test_loop.py"
SAFETY, STREAMS = f"{SERVE}/test_safety.py", f"{SERVE}/test_streams.py"
FAULTS, RESUME, PREPARING = f"{DATA}/test_faults.py", f"{DATA}/test_resume.py", f"{DATA}/test_preparing.py"
GAUSSIAN = f"{TRAINING}/ladder/test_gaussian_oracle.py"
BAD_FILES = tuple(
    f"{FAULTS}::{name}"
    for name in (
        "test_everything_is_counted", "test_a_bad_file_is_skipped_for_its_reason",
        "test_a_usable_file_is_used_and_what_is_odd_is_flagged", "test_no_mel_holds_anything_but_numbers",
    )
)  # fmt: skip

ROWS = (
    Row(1, "kill -9 in prepare", (
        f"{RESUME}::test_killed_at_every_fact_learned", f"{RESUME}::test_killed_thirty_times_at_random",
        f"{RESUME}::test_workers_end_when_the_run_is_killed")),
    Row(2, "kill -9 in train", (
        f"{TRAINING}/test_resume.py::test_kill_9_at_random_steps",
        f"{TRAINING}/test_resume.py::test_another_seed_of_the_data_would_show",
        f"{TRAINING}/test_team.py::test_a_dead_process_costs_what_came_after_the_last_checkpoint_and_any_number_goes_on"
    )),
    Row(3, "kill -9 while a checkpoint is written", (
        f"{TRAINING}/test_resume.py::test_kill_9_at_every_point_of_writing_a_checkpoint",
        f"{TRAINING}/test_checkpoint.py")),
    Row(4, "kill -9 in distill", (
        f"{GAUSSIAN}::test_cut_inside_or_between_rungs_it_ends_the_same_bit_for_bit",
        f"{GAUSSIAN}::test_cut_between_rungs_when_the_student_is_written_but_not_vouched_for")),
    Row(5, "disk full", (
        f"{RESUME}::test_a_full_disk_is_told_and_mended",
        f"{TRAINING}/test_faults.py::test_a_full_disk_stops_training_and_the_last_checkpoint_is_as_it_was",
        f"{TRAINING}/test_faults.py::test_a_full_disk_says_how_much_is_needed",
        f"{TRAINING}/test_faults.py::test_a_log_that_cannot_be_written_is_loud",
        f"{GENERATE}/test_generate.py::test_a_disk_that_fills_up_leaves_the_old_file")),
    Row(6, "run folder not writable", (
        f"{TRAINING}/test_faults.py::test_a_run_folder_that_may_not_be_written_is_refused",
        f"{TRAINING}/test_faults.py::test_a_read_only_disk_is_refused_too",
        f"{LOOP}::test_a_folder_that_keeps_nothing_is_found_out_before_the_first_update")),
    Row(7, "SIGTERM, Ctrl-C", (
        f"{TRAINING}/test_resume.py::test_asked_to_stop_it_saves_first",
        "tests/app/test_cli.py::test_interrupted_is_130",
        "tests/app/test_cli.py::test_a_stopped_generate_leaves_nothing_behind")),
    Row(8, "two processes on one folder", (
        "tests/test_lock.py", f"{TRAINING}/test_resume.py::test_the_second_process_on_a_run_is_told_of_the_first",
        f"{PREPARING}::test_a_second_process_is_told_who_is_at_work")),
    Row(9, "a recording of hours, little memory", (
        f"{RESUME}::test_an_hours_long_file_costs_no_more_memory_than_a_short_one",)),
    Row(10, "a source or setting changed", (
        f"{PREPARING}::test_again_does_nothing_and_touching_redoes_nothing",
        f"{PREPARING}::test_only_what_changed_is_done_again",
        f"{PREPARING}::test_other_settings_redo_the_tracks_and_keep_the_old_until_then")),
    Row(11, "no audio at all", BAD_FILES),
    Row(12, "truncated recordings", (f"{AUDIO}/test_endings.py", f"{AUDIO}/test_parts.py")),
    Row(13, "a header that claims 2^36 samples", (
        f"{RESUME}::test_a_header_that_lies_costs_no_memory",
        f"{AUDIO}/test_parts.py::test_a_forged_length_is_the_recordings_fault")),
    Row(14, "decoder crash or hang", (
        f"{DATA}/test_supervisor.py", f"{FAULTS}::test_mutated_files_stop_nothing",
        f"{FAULTS}::test_thousands_of_mutated_files_stop_nothing")),
    Row(15, "one sample, silence, DC, square", (f"{DATA}/test_track_builder.py", *BAD_FILES)),
    Row(16, "NaN or Inf samples", (
        *BAD_FILES, f"{GENERATE}/test_keeping.py::test_a_nan_is_the_recordings_fault_asserts_or_none",
        f"{AUDIO}/test_parts.py::test_a_sample_that_is_no_number_is_named")),
    Row(17, "odd rates, depths, channels", (
        f"{AUDIO}/test_io.py::test_a_tone_gives_the_same_mel_from_any_kind_of_file",
        f"{AUDIO}/test_parts.py::test_an_absurd_rate_is_refused_by_whoever_reads")),
    Row(18, "wrong extension", (f"{AUDIO}/test_io.py::test_content_decides_not_the_name",)),
    Row(20, "DRM, video, playlists", (
        f"{DATA}/test_not_audio.py", f"{FAULTS}::test_what_is_no_file_is_never_opened",
        f"{AUDIO}/test_aac.py::test_a_film_is_not_read")),
    Row(21, "odd names", (
        f"{FAULTS}::test_the_report_is_valid_text",
        f"{DATA}/test_sources.py::test_names_are_shown_on_one_line_of_valid_text",
        f"{DATA}/test_sources.py::test_any_name_can_be_shown")),
    Row(22, "links, pipes, sockets, unreadable files", (
        f"{DATA}/test_sources.py::test_what_cannot_be_read_has_a_reason_and_nothing_hangs",
        f"{FAULTS}::test_a_file_we_may_not_read_is_skipped", f"{AUDIO}/test_parts.py::test_a_fifo_is_not_waited_for")),
    Row(23, "the same sound twice", (
        f"{PREPARING}::test_the_same_bytes_and_the_same_sound_count_once",
        f"{PREPARING}::test_a_re_encoding_is_reported_and_stays_on_one_side", f"{DATA}/test_fingerprint.py",
        f"{DATA}/test_splits.py")),
    Row(24, "too little data", (
        f"{PREPARING}::test_nothing_to_learn_from_says_how_much_there_is",
        "tests/runs/test_train.py::test_too_little_data_says_what_there_is_and_begins_nothing",
        "tests/app/make/test_making.py::test_fewer_windows_than_a_batch_are_refused_with_both_numbers")),
    Row(25, "model and settings disagree", (
        f"{BUNDLE}/test_folder.py::test_a_network_that_disagrees_is_refused_with_both_shapes",
        "tests/runs/test_train.py::test_another_mel_than_the_datas_is_refused",
        "tests/app/make/test_making.py::test_a_run_of_another_format_or_another_mel_is_refused")),
    Row(26, "a loss that is not finite", (
        f"{LOOP}::test_a_loss_that_is_not_finite_stops_before_the_update_and_names_the_batch",
        f"{LOOP}::test_a_gradient_that_is_not_finite_counts_as_a_loss_that_is_not",
        f"{LOOP}::test_allowed_updates_are_skipped_counted_and_leave_no_trace")),
    Row(27, "one poisoned batch", (f"{LOOP}::test_one_batch_a_thousand_times_too_loud",)),
    Row(28, "harmed weights", (
        f"{BUNDLE}/test_folder.py::test_a_file_that_is_not_the_declared_one_is_refused", f"{BUNDLE}/test_onnx_bytes.py",
        f"{TRAINING}/test_checkpoint.py::test_a_spoiled_checkpoint_is_named_removed_and_the_one_before_taken")),
    Row(29, "pickle under any name", (
        "tests/test_imports.py::test_nothing_executes_what_a_file_says", "tests/acceptance/test_nothing_executes.py")),
    Row(30, "a hostile model.json", (f"{BUNDLE}/test_model_json.py",)),
    Row(31, "slow listeners", (
        f"{STREAMS}::test_one_that_never_reads_is_dropped_and_others_hear_no_gap",
        f"{SAFETY}::test_a_head_that_does_not_come_is_not_waited_for")),
    Row(32, "connects and disconnects", (
        f"{STREAMS}::test_many_connects_and_disconnects_leave_nothing",
        f"{STREAMS}::test_nobody_listens_and_nothing_is_made")),
    Row(33, "more listeners than the limit", (
        f"{STREAMS}::test_the_listener_beyond_the_limit_is_told_to_wait",
        f"{STREAMS}::test_all_hear_one_generator_and_late_ones_a_burst")),
    Row(34, "values out of range, huge bodies", (
        f"{SAFETY}::test_what_is_out_of_range_is_refused_before_any_work", f"{SAFETY}::test_no_query_is_our_fault",
        f"{SAFETY}::test_a_body_that_is_too_large_is_refused_at_once",
        f"{SAFETY}::test_a_thousand_ranges_are_no_work",
        f"{SAFETY}::test_nor_is_one_that_does_not_say_its_length")),
    Row(35, "path traversal, names with scripts", (
        f"{SAFETY}::test_no_address_leads_out", f"{SAFETY}::test_only_models_of_the_list_are_played")),
    Row(36, "foreign hosts and origins", (
        f"{SAFETY}::test_another_name_is_not_answered", f"{SAFETY}::test_a_page_of_a_stranger_can_change_nothing",
        f"{SAFETY}::test_its_own_names_are")),
    Row(37, "a server killed, a generator that fails", (
        f"{SERVE}/test_restart.py",
        f"{STREAMS}::test_a_generator_that_fails_is_one_line_and_the_next_listener_is_served",
        "tests/app/page/test_page.py::test_a_generator_that_fails_is_heard_again_within_five_seconds")),
    Row(38, "the same seed", (
        f"{GENERATE}/test_generate.py::test_the_same_command_gives_the_same_bytes",
        f"{GENERATE}/test_generate.py::test_the_beginning_of_a_longer_file_is_the_shorter_one",
        "tests/generation/test_model.py::test_streamed_is_the_same_piece_for_any_block_size",
        f"{PREPARING}::test_workers_and_the_place_change_no_byte")),
    Row(39, "other thread counts", (
        "tests/generation/test_threads.py", f"{GENERATE}/test_generate.py::test_the_file_says_what_it_follows_from")),
    Row(40, "evaluate twice", (
        "tests/evaluation/test_evaluate.py::test_again_the_same_json_comes_out",
        "tests/evaluation/test_evaluate.py::test_two_workers_killed_in_the_middle_go_on_to_the_same_json")),
)  # fmt: skip
