"""Is it learning? Said of logs whose answer is known."""

import math

import pytest

from halfstep.training.verdict import verdict


def log(*errors: float | None) -> list[dict[str, float | None]]:
    measured = [{"step": 100 * n, "v_error/0.1": error, "v_error/0.9": error} for n, error in enumerate(errors, 1)]
    return [{"step": 50, "loss": 9.0}, *measured]


@pytest.mark.parametrize(
    ("errors", "learning", "words"),
    [
        ((), None, "too early"),
        ((0.9, 0.5, 0.3), None, "measured 3 times"),
        ((0.9, 0.5, 0.3, 0.2), True, "still falling"),
        ((0.9, 0.5, 0.3, 0.3, 0.3, 0.3, 0.2995, 0.299), True, "hardly falling"),
        ((0.9, 0.9, 0.91, 0.9), False, "not learning"),
        ((0.9, 0.5, 0.3, 0.32), False, "0.3 after 300 updates"),
        ((0.9, 0.5, None, 0.2), False, "no number"),
    ],
)
def test_the_answer_is_plain(errors: tuple[float | None, ...], learning: bool | None, words: str):
    answer = verdict(log(*errors))
    assert answer.learning is learning and words in answer.said.lower()
    assert "\n" not in answer.said and "nan" not in answer.said


def test_a_vocoders_figures_count_and_others_do_not():
    lines = [{"step": n, "heldout/convergence": 1 / n, "samples/frechet": math.inf} for n in range(1, 9)]
    assert verdict(lines).learning is True
