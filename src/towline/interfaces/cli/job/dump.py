"""`tow job dump`."""

from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.display import plural, say
from towline.interfaces.cli.documents import dumped_document
from towline.interfaces.cli.options import JobQuery
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.selection import wanted_jobs
from towline.interfaces.cli.session import open_session
from towline.operations.job_documents import job_documents
from towline.operations.job_outputs import write_json


def command(
    context: click.Context,
    query: JobQuery,
    path: Annotated[Path, Option("--path", "-p", help="File to write.", metavar="FILE")] = Path("jobs_dump.json"),
) -> None:
    """Write everything about jobs, with the work itself, into a JSON file."""
    with open_session(context) as opened:
        documents = [dumped_document(item) for item in job_documents(opened, wanted_jobs(opened, query))]
    write_json(documents, path)
    say(f"{plural(len(documents), 'job')} written to {path}")
