"""A shell command as a job, and a Python job that reads the file it wrote.

The command swings a pendulum: an awk program integrates the equation of motion and writes ``trajectory.csv``. It needs
no Python where it runs. The second job finds the period in that file. Run it with ``python command_job.py`` while a
runner is active (``tow runner start``); it submits to the default project and waits.
"""

import csv
import itertools
import math
import sys
from pathlib import Path

from jobflow import Flow, job

from towline import command, get_jobstore, submit_flow, wait_flow

LENGTH_METERS = 1.0
GRAVITY_METERS_PER_SECOND_SQUARED = 9.81
AMPLITUDE_RADIANS = 0.2

#: Velocity Verlet, 5 s in steps of 1 ms.
PENDULUM = """
function acceleration(angle) { return -gravity / length_meters * sin(angle) }
BEGIN {
    step = 0.001; velocity = 0
    print "time_seconds,angle_radians" > "trajectory.csv"
    for (time = 0; time < 5; time += step) {
        printf "%.4f,%.9f\\n", time, angle > "trajectory.csv"
        velocity += step / 2 * acceleration(angle)
        angle += step * velocity
        velocity += step / 2 * acceleration(angle)
    }
}
"""


@job
def period_seconds(path: str) -> float:
    """Time between the first and the last passage downwards through the rest position, over the number of swings."""
    with Path(path).open() as lines:
        rows = [(float(row["time_seconds"]), float(row["angle_radians"])) for row in csv.DictReader(lines)]
    passages = [
        # Between two steps the angle is as good as straight.
        time + (later - time) * angle / (angle - next_angle)
        for (time, angle), (later, next_angle) in itertools.pairwise(rows)
        if angle > 0 >= next_angle
    ]
    return (passages[-1] - passages[0]) / (len(passages) - 1)


def main() -> int:
    """Submit, wait, print; 0 when the period is the one of the textbook within 0.1 %."""
    swing = command(
        [
            *("awk", "-f", "pendulum.awk"),
            *("-v", f"angle={AMPLITUDE_RADIANS}"),
            *("-v", f"length_meters={LENGTH_METERS}"),
            *("-v", f"gravity={GRAVITY_METERS_PER_SECOND_SQUARED}"),
        ],
        inputs={"pendulum.awk": PENDULUM},
        outputs=["*.csv"],
        name="swing a pendulum",
    )
    period = period_seconds(swing.output["files"]["trajectory.csv"]["path"])
    if not wait_flow(submit_flow(Flow([swing, period], name="pendulum")), timeout_seconds=60):
        print("the flow did not complete; look with: tow job list", file=sys.stderr)
        return 1
    with get_jobstore() as store:
        command_output, found = (store.get_output(one.uuid, load=True) for one in (swing, period))
    # Period of a pendulum to second order in its amplitude.
    expected = 2 * math.pi * math.sqrt(LENGTH_METERS / GRAVITY_METERS_PER_SECOND_SQUARED)
    expected *= 1 + AMPLITUDE_RADIANS**2 / 16
    print(f"trajectory: {command_output['files']['trajectory.csv']['path']}")
    print(f"period {found:.5f} s, expected {expected:.5f} s")
    return 0 if abs(found / expected - 1) < 0.001 else 1


if __name__ == "__main__":
    sys.exit(main())
