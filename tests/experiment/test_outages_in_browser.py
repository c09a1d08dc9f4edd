"""Visits in headless Chromium that lose the server or the network, and go on."""

from contextlib import ExitStack
from functools import partial

import pytest
from participant import answer
from served import served_apart
from test_serve import served
from test_tasks_in_browser import first_key
from test_visits_in_browser import VISITOR, in_the_second_list, last_page, reach

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("moment", range(10))
def test_a_visit_goes_on_after_the_server_was_killed(moment, experiment, page):
    """No answered trial is lost, none is there twice, and the list is the same."""
    folder = in_the_second_list(experiment)
    with served_apart(folder) as server:
        reach(page, server.address + VISITOR, moment)
        server.kill()
        carry_on(page, moment)
    with served(folder, server.server_address[1]):
        last_page(page, folder)


def test_visits_go_on_after_20_s_offline(new_experiment, chromium, tmp_path):
    """Ten visits at once, each at another moment, in browsers' profiles of their own."""
    with ExitStack() as stack:
        visits = []
        for moment in range(10):
            folder = in_the_second_list(partial(new_experiment, tmp_path / str(moment)))
            server = stack.enter_context(served(folder))
            page = stack.enter_context(chromium.new_context()).new_page()
            reach(page, server.address + VISITOR, moment)
            page.context.set_offline(True)
            carry_on(page, moment)
            visits.append((page, folder))
        page.wait_for_timeout(20_000)
        for page, folder in visits:
            page.context.set_offline(False)
            last_page(page, folder)


def carry_on(page, moment):
    """What a participant does who does not see that there is no server."""
    if moment == 0:
        page.locator(".go .main").click()
    elif moment > 1:
        answer(page, first_key, trials=1)
