"""Request credits: refill, cap, changes of the account's limits, and the own rate."""

import pytest
from desk import MS, SECOND

from mmcore.budget import Budget
from mmcore.face import budget_of, count_allowed


def test_a_new_pool_is_the_smallest_tier_and_full() -> None:
    pool = Budget()
    assert pool.available_at(0) == 20.0
    pool.spend_at(20, 0)
    assert pool.available_at(0) == 0.0
    assert pool.in_flight == 20


def test_an_answer_is_counted_once() -> None:
    pool = Budget()
    pool.spend_at(3, 0)                     # requests -1, -2 and -3
    assert pool.answer(-2)
    assert not pool.answer(-2)              # again, or for somebody else
    assert pool.in_flight == 2
    pool.spend_at(1, SECOND)
    pool.expire_at(SECOND + MS, SECOND)     # only what was sent more than a second ago
    assert pool.in_flight == 1
    assert not pool.answer(-3)              # late: nobody waits any more
    assert pool.in_flight == 1


def test_refill_is_four_fifths_of_the_account_rate_up_to_the_burst() -> None:
    pool = Budget()
    pool.configure(100.0, 20.0)                     # 0.8 * 20 = 16 a second
    pool.spend_at(100, SECOND)
    for i in range(100):
        pool.answer(-1 - i, SECOND)
    assert pool.available_at(SECOND + 500 * MS) == pytest.approx(8.0)
    assert pool.available_at(60 * SECOND) == 100.0
    pool.spend_at(1, 60 * SECOND)
    assert pool.available_at(60 * SECOND) == 99.0


def test_what_was_on_a_lost_line_may_arrive_for_a_minute() -> None:
    pool = Budget()
    pool.spend_at(8, 0)
    pool.expire_at(10 * SECOND, SECOND)
    pool.disconnect(10 * SECOND)
    assert pool.in_flight == 0
    assert pool.available_at(10 * SECOND) == 12.0
    pool.expire_at(69 * SECOND, SECOND)
    assert pool.available_at(69 * SECOND) == 12.0   # at a pool that was full until then
    pool.expire_at(70 * SECOND, SECOND)
    assert pool.available_at(70 * SECOND) == 12.0
    assert pool.available_at(72 * SECOND) == 20.0


def test_a_new_process_counts_on_what_another_may_have_left_under_way() -> None:
    pool = Budget()
    pool.leave_at(6.0, 0)
    assert pool.available_at(0) == 6.0
    assert pool.available_at(SECOND) == 10.0
    assert pool.available_at(10 * SECOND) == 12.0   # eight may still arrive
    pool.expire_at(60 * SECOND, SECOND)
    assert pool.available_at(63 * SECOND) == 20.0
    alone = Budget()
    alone.leave_at(20.0, 0)                         # as told: nobody was there
    assert alone.available_at(0) == 20.0


def test_lines_lost_in_a_row_leave_enough_to_quote_with() -> None:
    pool = Budget()
    for i in range(20):
        pool.spend_at(4, i * SECOND)
        pool.disconnect(i * SECOND)
    assert pool.available_at(25 * SECOND) == 8.0    # four tenths of a burst of 20
    for t in range(60, 90):
        pool.expire_at(t * SECOND, SECOND)
    assert pool.available_at(90 * SECOND) == 20.0


def test_a_request_refused_for_want_of_credits_empties_the_pool() -> None:
    pool = Budget()
    pool.spend_at(1, SECOND)
    pool.answer(-1, SECOND)
    pool.refuse(-1, SECOND)
    assert pool.available_at(SECOND) == 0.0
    assert pool.available_at(SECOND + 250 * MS) == pytest.approx(1.0)
    assert pool.available_at(SECOND, 1) == 20.0     # the other pools are not meant
    pool.spend_at(1, SECOND)
    pool.refuse(-1, SECOND)
    assert pool.available_at(SECOND) == -1.0        # and no debt is forgiven


def test_what_is_under_way_may_arrive_at_a_pool_that_was_full_until_then() -> None:
    pool = Budget()
    pool.configure(20.0, 5.0)                       # 4 a second
    pool.spend_at(8, 0)                             # held on the way for ten seconds
    assert pool.available_at(10 * SECOND) == 12.0
    pool.expire_at(10 * SECOND, SECOND)             # not waited for, and under way all the same
    assert pool.in_flight == 0
    assert pool.available_at(10 * SECOND) == 12.0
    pool.answer(-1, 10 * SECOND)                    # the first arrived at a full pool just now
    assert pool.available_at(10 * SECOND) == 12.0
    assert pool.available_at(10 * SECOND + 250 * MS) == 13.0
    assert pool.available_at(20 * SECOND) == 13.0   # seven may still be under way
    pool.spend_at(1, 20 * SECOND)
    pool.answer(-1, 20 * SECOND)                    # sent after them: they have arrived too
    assert pool.available_at(20 * SECOND) == 12.0
    assert pool.available_at(30 * SECOND) == 20.0


def test_time_that_stands_still_or_runs_back_refills_nothing() -> None:
    pool = budget_of(3.0, 20.0, 4.0, 10 * SECOND)
    assert pool.available_at(10 * SECOND) == 3.0
    assert pool.available_at(9 * SECOND) == 3.0


@pytest.mark.parametrize("burst", [50.0, 10.0])
def test_what_was_spent_stays_spent_when_the_limits_change(burst: float) -> None:
    pool = Budget()
    pool.spend_at(8, 0)                           # 12 of 20 left
    pool.configure(burst, 5.0)
    assert pool.available_at(0) == burst - 8.0      # the venue's pool lacks the same eight


def test_the_same_limits_again_change_nothing() -> None:
    pool = Budget()
    pool.spend_at(8, 0)
    for _ in range(5):
        pool.configure(20.0, 5.0)
    assert pool.available_at(0) == 12.0


def test_limits_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        Budget().configure(0.0, 5.0)


def test_own_rate_over_ten_seconds() -> None:
    times = [SECOND + i * 10 * MS for i in range(1000)]     # 10 s, a wish every 10 ms
    assert count_allowed(8.0, times) == 80                  # never more than 8 in any second
    assert count_allowed(1000.0, times) == 1000


def test_a_rate_below_one_a_second_still_lets_one_pass_and_keeps_its_pace() -> None:
    times = [10 * SECOND + i * 100 * MS for i in range(600)]    # one minute
    assert count_allowed(0.1, times) == 6                   # one at once, then every 10 s
    assert count_allowed(0.5, times) == 30
