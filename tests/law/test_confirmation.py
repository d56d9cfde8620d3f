"""Which edits confirm a cast member and which undo it (A10), all sixteen combinations of them."""

from datetime import datetime
from itertools import product

import pytest

from greenroom.law.confirmation import EDITS, confirmation_after, fits

from .cases import NOW, ago

WAS = ago(3)
NOTHING = {"is_new": False, "place_changed": False, "start_changed": False, "cast_is_stated": False}


@pytest.mark.parametrize(
    ("edit", "was", "becomes"),
    [
        pytest.param({}, WAS, WAS, id="A10: title and other members undo nothing"),
        pytest.param({"is_new": True, "cast_is_stated": True}, None, NOW, id="A9: picking is the confirmation"),
        pytest.param({"place_changed": True, "cast_is_stated": True}, WAS, NOW, id="A10: a new place confirms anew"),
        pytest.param({"place_changed": True, "cast_is_stated": True}, None, NOW, id="A10: … also who was undone"),
        pytest.param({"start_changed": True}, WAS, None, id="A10: a new start undoes all"),
        pytest.param({"start_changed": True, "cast_is_stated": True}, WAS, NOW, id="A10: … unless the cast is stated"),
        pytest.param({"start_changed": True, "cast_is_stated": True}, None, NOW, id="A10: … also who was undone"),
        pytest.param({"cast_is_stated": True}, None, None, id="A10: an unchanged cast confirms nobody undone"),
        pytest.param({"cast_is_stated": True}, WAS, WAS, id="A10: … and undoes nobody"),
    ],
)
def test_an_edit_does_what_the_reading_says(
    edit: dict[str, bool], was: datetime | None, becomes: datetime | None
) -> None:
    assert confirmation_after(was, **NOTHING | edit, now=NOW) == becomes


@pytest.mark.parametrize("edit", list(product((True, False), repeat=4)))
def test_every_edit_is_decided(edit: tuple[bool, bool, bool, bool]) -> None:
    assert any(fits(row, edit) for row in EDITS)
