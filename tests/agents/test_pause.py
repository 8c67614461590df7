"""How soon an agent that crashed is started again."""

from itertools import accumulate, repeat

from syncd.agent.running import LONGEST_AGAIN_S, LONGEST_HANG_S, pause_after


def pauses(lived_s: float, crashes: int) -> list[float]:
    return list(accumulate(repeat(lived_s, crashes), lambda pause, lived: pause_after(lived, pause), initial=0.02))


def test_one_that_dies_at_once_is_tried_ever_less_often() -> None:
    assert pauses(0.05, 20)[-1] == LONGEST_AGAIN_S


def test_callers_of_one_that_is_killed_again_and_again_wait_and_get_no_error() -> None:
    assert max(pauses(1.2, 8)) < 0.15 and max(pauses(1.2, 1_000)) == LONGEST_HANG_S


def test_after_a_minute_of_service_all_is_forgotten() -> None:
    assert pause_after(61.0, LONGEST_AGAIN_S) == pause_after(61.0, 0.02) == 0.02
