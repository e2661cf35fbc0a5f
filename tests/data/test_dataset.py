import pytest

from halfstep.data.dataset import Library
from halfstep.errors import InputError


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no prepared data set; make one with halfstep prepare"),
        ("{", "not the JSON of a data set"),
        ("[]", "format None, this version reads 1"),
        ("{}", "format None, this version reads 1"),
        ('{"format": 2}', "format 2, this version reads 1"),
    ],
)
def test_what_is_no_data_set_is_refused_by_name(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=reason) as caught:
        Library(tmp_path)
    assert str(tmp_path) in str(caught.value)
