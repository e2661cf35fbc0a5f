import os

import pytest

from halfstep.data.journal import Journal
from halfstep.errors import InputError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_what_was_learned_is_known_again(path):
    journal = Journal(path)
    journal.add_content("/m/a\udce9.wav", (10, 99), {"done": {"sha256": "ab", "seconds": 1.5}})
    journal.add_outcome("ab-1", {"skipped": "silence"})
    again = Journal(path)
    assert again.content("/m/a\udce9.wav", (10, 99)) == {"done": {"sha256": "ab", "seconds": 1.5}}
    assert again.content("/m/a\udce9.wav", (10, 100)) is None
    assert again.content("/m/b.wav", (10, 99)) is None
    assert again.outcome("ab-1") == {"skipped": "silence"}
    assert again.outcome("cd-1") is None


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_torn_line_costs_only_itself(path, cut):
    journal = Journal(path)
    journal.add_content("/m/a.wav", (1, 2), {"skipped": "text"})
    whole = path.stat().st_size
    journal.add_outcome("ab-1", {"skipped": "silence"})
    with path.open("r+b") as file:
        file.truncate(min(whole + cut, path.stat().st_size - 2))
    torn = Journal(path)
    assert torn.content("/m/a.wav", (1, 2)) == {"skipped": "text"}
    assert torn.outcome("ab-1") is None
    torn.add_outcome("cd-1", {"skipped": "short"})
    assert Journal(path).outcome("cd-1") == {"skipped": "short"}


def test_later_facts_stand_and_the_end_does_not_show_the_way(path, tmp_path):
    one, two = Journal(path), Journal(tmp_path / "other.jsonl")
    one.add_content("/a", (1, 1), {"skipped": "text"})
    one.add_content("/a", (2, 2), {"skipped": "HTML"})
    one.add_content("/gone", (1, 1), {"skipped": "text"})
    one.add_outcome("x", {"skipped": "silence"})
    one.add_outcome("old", {"skipped": "silence"})
    two.add_outcome("x", {"skipped": "silence"})
    two.add_content("/a", (2, 2), {"skipped": "HTML"})
    for journal in (one, two):
        journal.keep_only({"/a", "/new"}, {"x", "y"})
    assert path.read_bytes() == (tmp_path / "other.jsonl").read_bytes()
    assert Journal(path).content("/a", (2, 2)) == {"skipped": "HTML"}
    assert Journal(path).outcome("old") is None


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "7",
        '{"track": "x"}',
        '{"track": "x", "outcome": {"done": {"frames": "many"}}}',
        '{"path": "/a", "content": {}}',
        '"track"',
        "null",
    ],
)
def test_lines_of_another_make_are_passed_over(path, line):
    path.write_text(line + "\n")
    journal = Journal(path)
    assert journal.content("/a", (1, 1)) is None
    assert journal.outcome("x") is None


def test_a_journal_that_is_no_file_is_refused(path):
    os.mkfifo(path)
    with pytest.raises(InputError, match="FIFO"):
        Journal(path)
