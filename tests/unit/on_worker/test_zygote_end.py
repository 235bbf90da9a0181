"""The process that forks jobs may be killed at any moment; the pilot that had it goes on."""

import os
import selectors
import signal
from pathlib import Path

from towline.on_worker.gate import Gate
from towline.on_worker.zygote import Zygote
from towline.testing.waiting import wait_until


def test_an_end_that_is_seen_in_two_ways_is_taken_once(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    with selectors.DefaultSelector() as selector:
        zygote = Zygote(selector, lambda child: None, [selector], gate, str(tmp_path))
        os.kill(zygote.pid, signal.SIGKILL)
        found = []
        wait_until(lambda: bool(found.extend(selector.select(0)) or found), 10, "the end of the socket")
        # The pilot has both news at hand: it reaps the process first, and is then told of the socket.
        zygote.end()
        for key, _ in found:
            key.data()
        assert not selector.get_map()
