"""Portable resources, and a scheduler's own words, as directives."""

from collections.abc import Mapping
from typing import Any

import pytest
from qtoolkit.core.data_objects import QResources

from towline.core.records import ShellSetup
from towline.errors import ConfigurationError, InvalidRequest
from towline.workers.schedulers.catalogue import scheduler
from towline.workers.schedulers.scheduler import BatchScript, Outcome, Submission, job_name, mark

NAME = "x.tow1"


def lines(kind: str, resources: Mapping[str, Any]) -> set[str]:
    return set(scheduler(kind).directives(resources, job_name=NAME))


@pytest.mark.parametrize(
    ("kind", "resources", "expected"),
    [
        ("slurm", {"nodes": 2, "processes_per_node": 4}, {"--nodes=2", "--ntasks-per-node=4"}),
        ("slurm", {"nodes": 2, "processes": 8}, {"--nodes=2", "--ntasks-per-node=4"}),
        ("slurm", {"time_limit": "1-02:00:00"}, {"--time=1-2:0:0"}),
        ("slurm", {"memory_gigabytes": 1.5, "project": "p"}, {"--mem=1536M", "--account=p"}),
        ("slurm", {"queue_name": "q", "partition": "own"}, {"--partition=own"}),
        ("slurm", {"exclusive": True, "requeue": True}, {"--exclusive", "--requeue"}),
        ("slurm", {"cpus-per-task": 4, "--mem": "1G"}, {"--cpus-per-task=4", "--mem=1G"}),
        ("slurm", {"array": "1-9%3", "dependency": "afterok:1"}, {"--array=1-9%3", "--kill-on-invalid-dep=yes"}),
        ("slurm", {"filesystems": ["scratch", "cfs"], "mail_type": ["END"]}, {"--licenses=scratch,cfs"}),
        ("slurm", {"scheduler_kwargs": {"qos": "debug"}}, {"--qos=debug", "--no-requeue"}),
        ("pbs", {"nodes": 2, "processes_per_node": 4}, {"-l select=2:ncpus=4:mpiprocs=4", "-l place=scatter"}),
        ("pbs", {"select": "1:ncpus=2", "filesystems": ["home", "eagle"]}, {"-l filesystems=home:eagle"}),
        ("pbs", {"select": 4, "walltime": "1:00:00"}, {"-l select=4", "-l walltime=1:00:00"}),
        ("pbs", {"memory_gigabytes": 2, "gpus_per_job": 1}, {"-l select=1:mem=2048mb:ngpus=1"}),
        ("pbs", {"time_limit": 90, "account": "a", "rerunnable": True}, {"-l walltime=0:1:30", "-A a", "-r y"}),
        ("sge", {"time_limit": 90, "queue_name": "all.q"}, {"-l h_rt=0:01:30", "-q all.q", "-r n", "-cwd"}),
        ("sge", {"processes": 4, "pe": "smp 4", "memory_gigabytes": 4}, {"-pe smp 4", "-l h_vmem=1024M"}),
    ],
)
def test_resources_become_directives(kind: str, resources: Mapping[str, Any], expected: set[str]) -> None:
    found = {line.partition(" ")[2] for line in lines(kind, resources)}
    assert expected <= found


@pytest.mark.parametrize("kind", ["slurm", "pbs", "sge"])
def test_nothing_is_asked_for_that_was_not_given(kind: str) -> None:
    text = "\n".join(lines(kind, {"account": "a"}))
    for word in ("ntasks", "select", "nodes", "-pe", "mem", "time"):
        assert word not in text


def test_resources_of_qtoolkit_are_understood_as_they_are_stored() -> None:
    stored = QResources(nodes=1, processes_per_node=2, time_limit=60).as_dict()
    assert {"#SBATCH --nodes=1", "#SBATCH --ntasks-per-node=2"} <= lines("slurm", stored)


@pytest.mark.parametrize(
    ("kind", "resources", "message"),
    [
        ("slurm", {"partitoin": "x"}, "'partition'"),
        ("slurm", {"memory": "1"}, "did you mean"),
        ("slurm", {"account": "a\n#SBATCH --uid=0"}, "one line"),
        ("slurm", {"nodes": 3, "processes": 8}, "evenly"),
        ("slurm", {"nodes": 2, "processes": 8, "processes_per_node": 3}, "contradict"),
        ("slurm", {"processes": 0}, "positive"),
        ("slurm", {"process_placement": "ANYWHERE", "processes": 1}, "process_placement"),
        ("slurm", {"time": "1", "walltime": "2"}, "twice"),
        ("slurm", {"partition": True}, "text or a number"),
        ("slurm", {"requeue": "perhaps"}, "true or false"),
        ("slurm", {"memory_gigabytes": 0}, "above 0"),
        ("pbs", {"qos": "x", "processes": 1}, "qos"),
        ("pbs", {"account": "a\"'"}, "quotes"),
        ("sge", {"processes": 4}, "parallel_environment"),
        ("sge", {"gpus_per_job": 1}, "select"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(kind: str, resources: Mapping[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        lines(kind, resources)


@pytest.mark.parametrize("kind", ["slurm", "pbs", "sge"])
def test_the_name_of_a_job_is_harmless_and_ends_with_its_mark(kind: str) -> None:
    own = mark("0f8fad5b-d9cb-469f-a165-70867728950e", 2, 3)
    assert own == "tow0f8fad5bd9cb.2.3"
    name = job_name("9 $(rm -rf /)\n'ü", own)
    assert name.endswith(f".{own}")
    assert name[0].isalpha()
    assert name.replace(".", "").replace("_", "").replace("-", "").replace("+", "").isalnum()
    batch = BatchScript("/tmp/a b", own, ("true",), name="n", resources={"job_name": "mine"}, setup=ShellSetup())
    assert f"mine.{own}" in scheduler(kind).script(batch)


@pytest.mark.parametrize("kind", ["slurm", "pbs", "sge"])
def test_a_submission_without_an_answer_is_undecided(kind: str) -> None:
    submissions = [Submission("/tmp/x", "tow1.1.1"), Submission("/tmp/y", "tow2.1.1")]
    for output in ("", "\n@towline@ submit 0 submitted 12", "\n@towline@ submit 0 refused - - 1 !!!\n"):
        answers = scheduler(kind).read_submissions(output, submissions)
        assert {one.outcome for one in answers} == {Outcome.UNDECIDED}


def test_a_scheduler_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigurationError, match="there are shell, slurm, pbs, sge"):
        scheduler("lsf")


@pytest.mark.parametrize("kind", ["slurm", "pbs", "sge"])
def test_ids_that_are_none_never_reach_a_shell(kind: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        scheduler(kind).cancel_command(["1; touch injected"])


def test_folders_that_slurm_cannot_write_to_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="work_dir"):
        scheduler("slurm").script(BatchScript("/tmp/100%j", "tow1.1.1", ("true",)))
