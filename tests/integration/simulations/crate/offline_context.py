"""Give the validator of RO-Crates the context that it would fetch from the net; run by the Python it is installed in.

The context has the terms that towline uses, as RO-Crate 1.1 defines them (https://w3id.org/ro/crate/1.1/context):
those of schema.org, but for six. What is not in it the validator does not know either.
"""

import io
import json
import sys

from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

ADDRESS = "https://w3id.org/ro/crate/1.1/context"
#: Terms of RO-Crate that are no terms of schema.org, or have another name there.
OWN = {
    "File": "http://schema.org/MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}
TYPES = "ComputerLanguage CreateAction CreativeWork Dataset Person PropertyValue SoftwareApplication SoftwareSourceCode"
PROPERTIES = (
    "about actionStatus additionalType agent author contentSize creator datePublished description encodingFormat "
    "endTime error exampleOfWork hasPart identifier instrument license mainEntity mentions name object "
    "programmingLanguage result softwareRequirements softwareVersion startTime unitText url value valueRequired version"
)


class Net(HTTPAdapter):
    """Answers with the context."""

    def send(self, request, **_):
        """Answer."""
        terms = {name: f"http://schema.org/{name}" for name in f"{TYPES} {PROPERTIES}".split()}
        content = json.dumps({"@id": ADDRESS, "@context": terms | OWN}).encode()
        headers = {"Content-Type": "application/ld+json"}
        answer = HTTPResponse(io.BytesIO(content), headers, 200, preload_content=False, request_url=request.url)
        return self.build_response(request, answer)


def main(cache: str) -> None:
    """Write the context into the cache of the validator."""
    session = CachedSession(cache_name=cache, backend="sqlite", allowable_methods=("GET",), expire_after=-1)
    session.mount("https://w3id.org/", Net())
    session.get(ADDRESS).raise_for_status()


if __name__ == "__main__":
    main(sys.argv[1])
