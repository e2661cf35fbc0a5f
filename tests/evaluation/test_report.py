from halfstep.audio.mel import MelConfig
from halfstep.evaluation.report import minute_wide
from halfstep.runs.presets import PRESETS


def test_a_minutes_picture_has_frames_a_window_apart_also_where_the_fft_is_longer():
    bands = PRESETS["flagship"]().mel
    assert minute_wide(bands).hop_length == bands.window == 4096
    assert minute_wide(MelConfig()).hop_length == 2048
