"""A run as a Workflow Run RO-Crate: its files, its parameters and what made it, in words that other programs know.

The workflow is the input file: a program in the language of MOOSE. The run is a ``CreateAction`` with the parameters as
its objects and the files as its results (profile 0.5, https://w3id.org/ro/wfrun/workflow/0.5).
"""

import getpass
import mimetypes
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model.computerlanguage import ComputerLanguage
from rocrate.model.contextentity import ContextEntity
from rocrate.model.person import Person
from rocrate.rocrate import ROCrate

from towline.errors import InvalidRequest
from towline.simulations.run_directory import METADATA, RECORD, continuations, read_json

_PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
_LANGUAGE = "https://mooseframework.inl.gov/application_usage/input_syntax.html"
_LICENSE = "https://choosealicense.com/no-permission/"
#: The form that the kinds of parameters have in schema.org.
_KINDS = {bool: "Boolean", int: "Integer", float: "Float", str: "Text"}
_TYPES = {".i": "text/plain", ".e": "application/x-netcdf", ".log": "text/plain", ".jsonl": "application/jsonl"}


def write_crate(folder: Path, target: Path, environments: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write the run of a folder as a crate: a new folder, or a ``.zip`` file.

    Parameters
    ----------
    environments
        What was installed where its jobs ran: ``id``, ``python`` and ``packages`` with their versions.

    Raises
    ------
    InvalidRequest
        The run was not judged, or there is something at the target already.
    """
    record, metadata = read_json(folder / RECORD), read_json(folder / METADATA)
    if "verdict" not in record:
        raise InvalidRequest(
            f"{folder.name} has not been judged yet; to see how far it is: tow simulation show {folder}"
        )
    if target.exists():
        raise InvalidRequest(f"{target} exists; name another place with --output")
    crate = _crate(folder, record, metadata)
    _add_environments(crate, environments)
    try:
        if target.suffix == ".zip":
            crate.write_zip(target)
        else:
            crate.write(target)
    except OSError as error:
        if target.is_dir():
            shutil.rmtree(target, ignore_errors=True)
        raise InvalidRequest(f"{target} cannot be written: {error}") from error
    return target


def _crate(folder: Path, record: Mapping[str, Any], metadata: Mapping[str, Any]) -> ROCrate:
    # The version that the profiles of runs are written for.
    crate = ROCrate(version="1.1")
    root = crate.root_dataset
    verdict = record["verdict"]
    root["name"] = f"{record['physics']}: {folder.name}"
    root["description"] = (
        f"Simulation of {record['physics']} with the {record['solver']}; verdict of its checks: {verdict['sentence']}"
    )
    root["datePublished"] = datetime.now(UTC).isoformat(timespec="seconds")
    license_ = {"@type": "CreativeWork", "name": "no permission", "description": "Rights are with whoever ran this."}
    root["license"] = _add(crate, _LICENSE, license_)
    profiles = [
        _add(crate, url, {"@type": "CreativeWork", "name": name, "version": version})
        for url, name, version in _PROFILES
    ]
    root["conformsTo"] = profiles
    workflow = _add_workflow(crate, folder, record, metadata)
    files = _add_files(crate, folder, workflow.id)
    _add_action(crate, record, metadata, workflow, files)
    return crate


def _add(crate: ROCrate, identifier: str, properties: Mapping[str, Any]) -> ContextEntity:
    found: ContextEntity = crate.add(ContextEntity(crate, identifier, properties=dict(properties)))
    return found


def _add_workflow(crate: ROCrate, folder: Path, record: Mapping[str, Any], metadata: Mapping[str, Any]) -> Any:
    about = {"name": "MOOSE input (HIT)", "identifier": {"@id": _LANGUAGE}, "url": {"@id": _LANGUAGE}}
    language = crate.add(ComputerLanguage(crate, "#moose-input", properties=about))
    name = record["input_path"]
    workflow = crate.add_workflow(
        folder / name, name, main=True, lang=language, properties={"name": name, "encodingFormat": "text/plain"}
    )
    inputs = [_formal(crate, name, one["value"]) for name, one in metadata["case"]["values"].items()]
    workflow["input"] = inputs
    workflow["version"] = record["run_id"]
    workflow["url"] = _LANGUAGE
    workflow["conformsTo"] = {"@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"}
    workflow["creator"] = _add(crate, "#towline", _towline(metadata))
    return workflow


def _towline(metadata: Mapping[str, Any]) -> dict[str, Any]:
    source = metadata.get("source") or {}
    version = metadata["packages"].get("towline", "")
    revision = f", revision {source['revision']}" if source else ""
    return {"@type": "SoftwareApplication", "name": "towline", "softwareVersion": f"{version}{revision}"}


def _formal(crate: ROCrate, name: str, value: object) -> ContextEntity:
    return _add(
        crate,
        f"#parameter-{name}",
        {
            "@type": "FormalParameter",
            "name": name,
            "additionalType": _KINDS[type(value)],
            "conformsTo": {"@id": "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"},
            "valueRequired": False,
        },
    )


def _add_files(crate: ROCrate, folder: Path, workflow: str) -> list[Any]:
    """Every file of the run except the input; those of the records and the script are no results."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name == workflow or path.name.startswith("."):
            continue
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        properties = {"name": path.name, "encodingFormat": kind, "contentSize": str(path.stat().st_size)}
        entity = crate.add_file(path, name, properties=properties)
        if name not in (METADATA, "run.sh"):
            found.append(entity)
    return found


def _add_action(
    crate: ROCrate, record: Mapping[str, Any], metadata: Mapping[str, Any], workflow: Any, files: list[Any]
) -> None:
    objects = [_value(crate, name, one) for name, one in metadata["case"]["values"].items()]
    solver = _add(crate, "#solver", _solver(record, metadata))
    done = record["status"] == "done"
    properties: dict[str, Any] = {
        "@type": "CreateAction",
        "name": f"run of {record['physics']}",
        "description": "; ".join([record["verdict"]["sentence"], *continuations(record)]),
        "startTime": _seconds(record.get("start_time") or record["created"]),
        "endTime": _seconds(record.get("end_time") or record["judged"]),
        "actionStatus": f"http://schema.org/{'CompletedActionStatus' if done else 'FailedActionStatus'}",
    }
    if not done:
        properties["error"] = (record.get("review") or {}).get("sentence") or record.get("problem") or "failed"
    action = _add(crate, f"#{record['run_id']}", properties)
    action["instrument"] = workflow
    action["object"] = objects
    action["result"] = files
    person = crate.add(Person(crate, f"#{getpass.getuser()}", properties={"name": getpass.getuser()}))
    action["agent"] = person
    crate.root_dataset["author"] = person
    crate.root_dataset["mentions"] = action
    workflow["softwareRequirements"] = solver


def _add_environments(crate: ROCrate, environments: Sequence[Mapping[str, Any]]) -> None:
    """Each Python that ran a job, with its packages, as something that the workflow needs."""
    for one in environments:
        python = {"@type": "SoftwareApplication", "name": "Python", "softwareVersion": str(one["python"])}
        entity = _add(crate, f"#environment-{one['id']}", python)
        entity["softwareRequirements"] = [
            _add(
                crate,
                f"#package-{quote(f'{name}-{version}')}",
                {"@type": "SoftwareApplication", "name": name, "softwareVersion": version},
            )
            for name, version in sorted(one["packages"].items())
        ]
        crate.mainEntity.append_to("softwareRequirements", entity)


def _seconds(moment: str) -> str:
    return datetime.fromisoformat(moment).isoformat(timespec="seconds")


def _value(crate: ROCrate, name: str, one: Mapping[str, Any]) -> ContextEntity:
    properties = {
        "@type": "PropertyValue",
        "name": name,
        "value": str(one["value"]),
        "exampleOfWork": {"@id": f"#parameter-{name}"},
        "description": f"{one['origin']}. {one['note']}".strip(),
    }
    if one["unit"]:
        properties["unitText"] = one["unit"]
    return _add(crate, f"#value-{name}", properties)


def _solver(record: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    versions = {name: text for name, text in (record.get("solver_header") or {}).items() if "Version" in name}
    told = ", ".join(f"{name} {text}" for name, text in versions.items())
    properties = {"@type": "SoftwareApplication", "name": record["solver"], "softwareVersion": told or "unknown"}
    if "MOOSE" in versions:
        properties["url"] = "https://mooseframework.inl.gov"
    if metadata["solver"].get("sha256"):
        # RO-Crate 1.1 has no term for hashes.
        properties["identifier"] = f"sha256:{metadata['solver']['sha256']}"
    return properties
