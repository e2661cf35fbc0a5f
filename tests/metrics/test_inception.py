"""Inception score: known answers."""

import numpy as np
import pytest

from halfstep.metrics.inception import inception_score, probabilities


@pytest.mark.parametrize("classes", [2, 10, 64])
def test_sure_and_balanced_is_the_number_of_classes(classes: int):
    np.testing.assert_allclose(inception_score(np.eye(classes).repeat(3, 0)), classes)


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([[0.2, 0.5, 0.3]] * 7, 1),
        ([[0.9, 0.1], [0.1, 0.9]], 1.4449348111684),
        (np.repeat(np.eye(3), [5, 3, 2], axis=0), 2.8000940728539),
    ],
)
def test_known_answers(rows, wanted: float):
    np.testing.assert_allclose(inception_score(np.array(rows)), wanted, rtol=1e-12)


def test_counts_are_repeated_rows():
    rows = np.random.default_rng(0).dirichlet(np.ones(5), 9)
    counts = np.array([1, 0, 3, 1, 1, 2, 0, 1, 1])
    np.testing.assert_allclose(inception_score(rows, counts), inception_score(rows.repeat(counts, 0)))


@pytest.mark.parametrize("rows", [[[0.5, 0.6]], [[1.2, -0.2]], np.zeros((0, 3))])
def test_what_is_no_probability_is_refused(rows):
    with pytest.raises(ValueError, match="no probabilities"):
        inception_score(np.array(rows))


def test_softmax_of_large_logits():
    np.testing.assert_allclose(probabilities(np.array([[1000.0, 1000.0, -1000.0]])), [[0.5, 0.5, 0]])
