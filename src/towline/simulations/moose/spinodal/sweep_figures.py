"""Pictures of several runs of spinodal decomposition."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from towline.simulations.application import Figure, Member
from towline.simulations.drawing import Curve, Panel, draw_panels
from towline.simulations.moose.run_record import column
from towline.simulations.moose.spinodal.decomposition import domain_sizes, variance
from towline.simulations.moose.spinodal.theory import mixture_of
from towline.simulations.reports.sweep_report import varied_parameters

#: Curves beyond this would only hide each other.
_MOST_CURVES = 12


def sweep_figures(members: Sequence[Member], into: Path) -> list[Figure]:
    """Draw a sweep; what there is no data for is left out."""
    into.mkdir(parents=True, exist_ok=True)
    varied = varied_parameters(members)
    growth, sizes = [], []
    for place, member in enumerate(members[:_MOST_CURVES]):
        label = ", ".join(f"{name} = {member.case[name]}" for name in varied) or member.files.folder.name
        times = column(member.results, "time")
        values, lengths = variance(member.results), domain_sizes(member.case, member.results)
        if len(values):
            grown = (times > 0) & (values > 0)
            growth.append(Curve(times[grown], values[grown], label, colour=place))
        if len(lengths):
            known = (times > 0) & np.isfinite(lengths)
            sizes.append(Curve(times[known], lengths[known], "", colour=place))
    if not growth and not sizes:
        return []
    length, time, _ = mixture_of(members[0].case).units
    x = f"time ({time})" if time else "time"
    panels = [
        Panel(x, "variance of c", growth, log_x=True, log_y=True),
        Panel(x, f"domain size L ({length})" if length else "domain size L", sizes, log_x=True, log_y=True),
    ]
    left_out = f" {len(members) - _MOST_CURVES} more runs are not drawn." if len(members) > _MOST_CURVES else ""
    caption = f"Left: decomposition. Right: coarsening, once there are domains.{left_out}"
    return [Figure(draw_panels(into / "decomposition.png", panels), "Decomposition of all runs", caption)]
