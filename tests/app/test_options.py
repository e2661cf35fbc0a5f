"""An option whose value may be left out."""

import pytest

from halfstep.app.options import with_address


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("prepare --ray music --out data", "prepare --ray local music --out data"),
        ("prepare music --out data --ray", "prepare music --out data --ray local"),
        ("prepare --ray auto music", "prepare --ray auto music"),
        ("evaluate m --ray 10.0.0.1:6379", "evaluate m --ray 10.0.0.1:6379"),
        ("evaluate m --ray ray://head.example:10001 --json", "evaluate m --ray ray://head.example:10001 --json"),
        ("generate --ray [::1]:6379 a.wav", "generate --ray [::1]:6379 a.wav"),
    ],
)
def test_ray_without_an_address_is_this_machine(typed: str, meant: str):
    assert with_address(typed.split()) == meant.split()
