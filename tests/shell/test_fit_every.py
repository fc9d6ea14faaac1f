"""`regulars fit --every`: the fit that comes round each night, also after one in which Redis was away."""

from datetime import timedelta

import pytest

from profiles.models import Models
from streams import cli
from streams.commands import fit
from streams.table import Unavailable

DAY_S = timedelta(days=1).total_seconds()


class Nights:
    """Fits as the test says, without Redis; the test ends as by Ctrl-C when all have been tried."""

    def __init__(self, *tries: Exception | None) -> None:
        self.tries = list(tries)
        self.paused: list[float] = []

    def fit(self, *_: object) -> Models:
        if not self.tries:
            raise KeyboardInterrupt
        if (error := self.tries.pop(0)) is not None:
            raise error
        return Models(as_of_day=0)


@pytest.fixture
def nights(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Nights:
    nights = Nights(*request.param)
    monkeypatch.setattr(fit, "_of_table", nights.fit)
    monkeypatch.setattr(fit, "_pause", nights.paused.append)
    return nights


@pytest.mark.parametrize("nights", [(None, Unavailable("no connection to Redis"), None, None)], indirect=True)
def test_a_night_without_redis_is_told_and_tried_again_within_a_minute(
    nights: Nights, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(["fit", "--every", "24h"])

    assert nights.paused == [DAY_S, fit.RETRY_S, DAY_S, DAY_S]
    assert "no fit now, another try follows: no connection to Redis" in capsys.readouterr().err


@pytest.mark.parametrize("nights", [(Unavailable("no connection to Redis"),)], indirect=True)
def test_the_first_fit_has_to_succeed_so_that_a_wrong_address_is_seen(nights: Nights) -> None:
    assert cli.run(["fit", "--every", "24h"]) == 2
    assert nights.paused == []


@pytest.mark.parametrize("nights", [(None,)], indirect=True)
def test_one_fit_after_the_other_without_a_pause_is_no_schedule(
    nights: Nights, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["fit", "--every", "0s"]) == 2
    assert "once a day is enough" in capsys.readouterr().err
