"""How long the rest takes."""

import pytest

from halfstep.app.progress import Remaining, lasting


def test_what_was_done_before_is_no_pace(monkeypatch: pytest.MonkeyPatch):
    """Goes on from 900 of 1000; 10 in 5 s, so 90 more take 45."""
    times = iter([100.0, 100.0, 105.0])
    monkeypatch.setattr("halfstep.app.progress.time.monotonic", lambda: next(times))
    pace = Remaining()
    assert pace.left(900, 1000) is None
    assert pace.left(900, 1000) is None
    assert pace.left(910, 1000) == pytest.approx(45)


@pytest.mark.parametrize(("seconds", "words"), [(42, "42 s"), (600, "10 min"), (5 * 3600 + 120, "5 h 02 min")])
def test_time_is_said_as_finely_as_it_matters(seconds: float, words: str):
    assert lasting(seconds) == words
