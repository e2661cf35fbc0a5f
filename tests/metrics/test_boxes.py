"""Boxes: smoothing keeps what stays and the sum of what does not; places are windows of them."""

import numpy as np

from halfstep.metrics.boxes import places, smoothed


def test_a_box_is_spread_under_a_hann_window_and_what_stays_is_kept():
    boxes = np.zeros((11, 2), np.float32)
    boxes[5, 0], boxes[:, 1] = 1, 3
    smooth = smoothed(boxes, 3)
    np.testing.assert_allclose(smooth[3:8, 0], [0, 0.25, 0.5, 0.25, 0], atol=1e-7)
    np.testing.assert_allclose(smooth[:, 1], 3, rtol=1e-6)


def test_places_are_every_so_many_of_the_boxes_that_begin_there():
    boxes = np.arange(20, dtype=np.float32).reshape(10, 2)
    result = places(boxes, 5, 2)
    assert result.shape == (6, 2, 3)
    np.testing.assert_array_equal(result[3], boxes[[3, 5, 7]].T)
