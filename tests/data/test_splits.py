import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.data.splits import heldout_groups, linked_groups

names = st.sets(st.text(min_size=1, max_size=8), min_size=2, max_size=40)


@given(groups=names, share=st.floats(0.001, 0.999))
def test_both_sides_have_a_group_where_there_are_two(groups, share):
    heldout = heldout_groups(groups, share)
    assert 0 < len(heldout) < len(groups)
    assert heldout <= groups


def test_a_group_keeps_its_side_when_others_come():
    groups = {f"track {number}" for number in range(200)}
    before = heldout_groups(groups, 0.1)
    after = heldout_groups(groups | {f"new {number}" for number in range(200)}, 0.1)
    assert after & groups == before


def test_the_share_is_met_on_average():
    assert len(heldout_groups({f"track {number}" for number in range(5000)}, 0.1)) == pytest.approx(500, rel=0.1)


def test_one_group_or_no_share_holds_nothing_out():
    assert heldout_groups({"one"}, 0.5) == set()
    assert heldout_groups({"one", "two"}, 0) == set()


@given(
    links=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=12),
)
def test_linked_groups_are_the_connected_ones(links):
    groups = set("abcdefgh")
    linked = linked_groups(groups, links)
    assert all(linked[a] == linked[b] for a, b in links)
    reach = {group: {group} for group in groups}
    for _ in groups:
        for a, b in links:
            reach[a] |= reach[b]
            reach[b] |= reach[a]
    assert linked == {group: min(reach[group]) for group in groups}
