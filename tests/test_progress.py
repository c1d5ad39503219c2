"""Records of steps as arrays: nothing is lost on the way."""

from __future__ import annotations

import math
import pickle

from hypothesis import given
from hypothesis import strategies as st

from kanstudio.training.progress import Progress, Records

LOSS = st.floats(min_value=0, allow_nan=False)


@st.composite
def steps(draw: st.DrawFn) -> list[Progress]:
    numbers = sorted(draw(st.sets(st.integers(1, 2**40), max_size=20)))
    return [
        Progress(number, draw(LOSS), draw(LOSS), draw(LOSS), draw(st.sampled_from(["", "undone"])))
        for number in numbers
    ]


@given(steps(), st.integers(0, 2**40), st.integers(0, 20))
def test_records_are_a_list_of_steps(found: list[Progress], seen: int, cut: int) -> None:
    records = Records.of(found)
    assert list(pickle.loads(pickle.dumps(records))) == found
    assert list(records.after(seen)) == [one for one in found if one.step > seen]
    assert list(Records.of(found[:cut]) + Records.of(found[cut:])) == found
    assert len(records) == len(found)
    assert records.last == (found[-1].step if found else 0)


def test_a_step_that_failed_has_no_loss() -> None:
    (one,) = Records.of([Progress(7, math.nan, math.nan, 0.0, "not finite")])
    assert math.isnan(one.train_loss)
    assert one.message == "not finite"
