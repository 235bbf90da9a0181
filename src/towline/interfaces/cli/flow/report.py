"""`tow flow report`."""

import click

from towline.interfaces.cli.display import print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.reports import Span, by_name, print_counts, print_trends
from towline.interfaces.cli.session import open_session
from towline.operations.reports import flows_report


def command(context: click.Context, span: Span, as_json: Json = False) -> None:
    """How the flows fare: numbers by state, and what ended when."""
    with open_session(context) as opened:
        report = flows_report(opened, span.interval, span.num_intervals, span.timezone)
    if as_json:
        document = {"running": report.running, "completed": report.completed, "error": report.error}
        trends = {name: by_name(counts) for name, counts in report.trends.items()}
        print_json({"state_counts": by_name(report.state_counts), "trends": trends, **document})
        return
    write_out(f"{report.completed} completed, {report.running} running, {report.error} with an error\n\n")
    print_counts("Flows", report.state_counts)
    print_trends("Ended", report.trends)
