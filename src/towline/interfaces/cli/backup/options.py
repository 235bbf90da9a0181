"""Options of jobflow-remote that only a MongoDB gives a meaning to."""

from typing import Annotated

from towline.interfaces.cli.parameters import Option

MongoPath = Annotated[
    str | None, Option("--mongo-path", "-m", refused="is about the programs of MongoDB; towline needs none of them")
]
Python = Annotated[bool, Option("--python", "-p", refused="is how it is always done; leave it out")]
