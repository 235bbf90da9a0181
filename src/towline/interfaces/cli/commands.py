"""Every command of `tow`, in one table: showing help and completing words needs nothing else.

The function of a command is called ``command`` and stands in a module of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

_PACKAGE = "towline.interfaces.cli"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A command."""

    #: Module below the package of the command line.
    module: str
    help: str
    #: Works, but is not listed.
    hidden: bool = False
    #: Name of its function.
    function: str = "command"
    #: Comes from a plugin: the name of the module is a full one.
    is_foreign: bool = False

    @property
    def module_name(self) -> str:
        """Full name of its module."""
        return self.module if self.is_foreign else f"{_PACKAGE}.{self.module}"


@dataclass(frozen=True, slots=True)
class Branch:
    """A group of commands."""

    help: str
    children: Mapping[str, "Leaf | Branch"] = field(default_factory=dict)
    hidden: bool = False


Node = Leaf | Branch

COMMANDS = Branch(
    "Scientific jobs on any machine, from one durable queue.",
    {
        "run": Leaf("run", "Run a command on a worker and bring its files back."),
        "submit": Leaf("submit", "Put a flow from a Python or JSON file into the queue."),
        "simulate": Leaf("simulate", "Simulate: plan, run through the queue, judge, draw."),
        "wait": Leaf("wait", "Wait until jobs or flows have ended."),
        "events": Leaf("events", "What happened to jobs and flows, as a stream."),
        "job": Branch(
            "Jobs: look at them, steer them, get their results.",
            {
                "list": Leaf("job.list", "List jobs, the newest first."),
                "info": Leaf("job.info", "Everything about one job."),
                "output": Leaf("job.output", "The result of a job."),
                "rerun": Leaf("job.rerun", "Run jobs again, as new attempts."),
                "retry": Leaf("job.retry", "Repeat the action of the runner that failed."),
                "pause": Leaf("job.pause", "Hold jobs before their start."),
                "resume": Leaf("job.resume", "Let jobs go on that were paused or stopped."),
                "play": Leaf("job.resume", "Another name of resume.", hidden=True),
                "stop": Leaf("job.stop", "End jobs, wherever they are."),
                "approve": Leaf("job.approve", "Approve steps that wait for a person."),
                "reject": Leaf("job.reject", "Reject steps that wait for a person."),
                "delete": Leaf("job.delete", "Take jobs out of the queue."),
                "queue-out": Leaf("job.queue_out", "What a job printed."),
                "report": Leaf("job.report", "How the jobs fare: numbers and trends."),
                "todir": Leaf("job.todir", "Open a shell in the run folder."),
                "dump": Leaf("job.dump", "Write everything about jobs into a file.", hidden=True),
                "set-state": Leaf("job.set_state", "Force jobs into a state, unchecked."),
                "files": Branch(
                    "Files in the run folder of a job.",
                    {
                        "ls": Leaf("job.files.ls", "List the run folder."),
                        "get": Leaf("job.files.get", "Copy files here."),
                        "delete": Leaf("job.files.delete", "Delete the run folder."),
                    },
                ),
                "set": Branch(
                    "Change what jobs ask for.",
                    {
                        "worker": Leaf("job.set.worker", "Move jobs to another worker."),
                        "exec-config": Leaf("job.set.exec_config", "Change the environment."),
                        "resources": Leaf("job.set.resources", "Change the resources."),
                        "priority": Leaf("job.set.priority", "Change the priority."),
                        "work-dir": Leaf("job.set.work_dir", "Change the folder of the run folders."),
                    },
                ),
            },
        ),
        "flow": Branch(
            "Flows: look at them, steer them.",
            {
                "list": Leaf("flow.list", "List flows, the newest first."),
                "info": Leaf("flow.info", "One flow and its jobs."),
                "graph": Leaf("flow.graph", "Draw what depends on what."),
                "resume": Leaf("flow.resume", "Let a flow go on that was paused or stopped."),
                "report": Leaf("flow.report", "How the flows fare: numbers and trends."),
                "clean": Leaf("flow.clean", "Delete the run folders of flows."),
                "delete": Leaf("flow.delete", "Take flows out of the queue."),
                "export": Leaf("flow.export", "Write a flow with outputs and files to an archive."),
                "import": Leaf("flow.import_", "Put an exported flow into this project."),
                "set": Branch(
                    "Change what belongs to a flow.",
                    {"store": Leaf("flow.set.store", "Choose where its outputs go.")},
                ),
            },
        ),
        "simulation": Branch(
            "Simulations: what there is, their inputs, their verdicts.",
            {
                "list": Leaf("simulation.list", "List the simulations that were run."),
                "show": Leaf("simulation.show", "Show a physics and its parameters, or a run."),
                "render": Leaf("simulation.render", "Show the input of a case."),
                "check": Leaf("simulation.check", "Check a case, an input file, or the results of a run."),
                "run": Leaf("simulate", "Another name of tow simulate."),
                "sweep": Leaf("simulation.sweep", "Simulate many cases and judge them together."),
                "qualify": Leaf("simulation.qualify", "Run a problem with a known answer: is the solver good enough?"),
                "verify": Leaf("simulation.verify", "Compare the files of a run with their hashes."),
                "export": Leaf("simulation.export", "Write a run as an RO-Crate."),
            },
        ),
        "runner": Branch(
            "The runner: the process that moves the jobs.",
            {
                "start": Leaf("runner.start", "Start the runner in the background."),
                "stop": Leaf("runner.stop", "Stop the runner; jobs go on running."),
                "shutdown": Leaf("runner.stop", "Another name of stop."),
                "stop-processes": Leaf("runner.stop", "Another name of stop.", hidden=True),
                "kill": Leaf("runner.kill", "End the runner at once; nothing is lost."),
                "restart": Leaf("runner.restart", "Stop the runner and start it again."),
                "status": Leaf("runner.status", "Whether a runner is active."),
                "info": Leaf("runner.info", "The runner and its workers."),
                "reset": Leaf("runner.reset", "Forget the registered runner."),
                "update-status": Leaf("runner.update_status", "Ask once what became of jobs in flight."),
                "run": Leaf("runner.run", "Be the runner, in this terminal."),
                "foreground": Leaf("runner.foreground", "Follow what the runner logs."),
            },
        ),
        "worker": Branch(
            "Workers: the machines where jobs run.",
            {
                "list": Leaf("worker.list", "Whether the workers take jobs, and why not."),
                "check": Leaf("worker.check", "Check that everything on a worker works."),
                "deploy": Leaf("worker.deploy", "Put towline and your packages on a worker."),
                "login": Leaf("worker.login", "Log in where a site asks for a password or code."),
                "logout": Leaf("worker.logout", "End the connection to a worker."),
            },
        ),
        "batch": Branch(
            "Allocations of batch workers, with many jobs in each.",
            {
                "list": Leaf("batch.list", "List allocations, the newest first."),
                "info": Leaf("batch.info", "One allocation and its jobs."),
                "cancel": Leaf("batch.cancel", "End allocations now; their jobs go back to READY."),
                "drain": Leaf("batch.drain", "Let allocations end with the jobs that run in them."),
                "delete": Leaf("batch.delete", "Forget records of allocations."),
            },
        ),
        "project": Branch(
            "Projects: configurations with their own queue.",
            {
                "list": Leaf("project.list", "List the projects."),
                "generate": Leaf("project.generate", "Write the file of a new project."),
                "check": Leaf("project.check", "Check that everything in a project works."),
                "check-conflicts": Leaf("project.check_conflicts", "Look for what projects share."),
                "show": Leaf("project.show", "Show every value in force."),
                "schema": Leaf("project.schema", "The JSON schema of project files."),
                "edit": Branch(
                    "Change project files.",
                    {"replace": Leaf("project.edit.replace", "Replace text, after a look at the difference.")},
                ),
                "remove": Leaf("project.remove", "Remove a project."),
                "exec_config": Branch(
                    "Environments of the project.",
                    {"list": Leaf("project.exec_config.list", "List the environments.")},
                ),
                "worker": Branch(
                    "Workers of the project.",
                    {"list": Leaf("project.worker.list", "List the workers.")},
                ),
            },
        ),
        "admin": Branch(
            "The database of the queue: upgrade, unlock, empty it.",
            {
                "upgrade": Leaf("admin.upgrade", "Bring the database to the newest schema."),
                "reset": Leaf("admin.reset", "Empty the queue."),
                "unlock": Leaf("admin.unlock", "Take jobs from the runner that holds them."),
                "unlock-flow": Leaf("admin.unlock_flow", "The same for the jobs of flows."),
                "unlock-runner": Leaf("runner.reset", "Forget the registered runner."),
                "index": Branch(
                    "Indexes of the database.",
                    {
                        "create": Leaf("admin.index.create", "Make queries of outputs use an index."),
                        "rebuild": Leaf("admin.index.rebuild", "Write every index anew."),
                    },
                ),
            },
        ),
        "backup": Branch(
            "Backups of the queue.",
            {
                "create": Leaf("backup.create", "Write the queue to a folder."),
                "restore": Leaf("backup.restore", "Fill the queue from such a folder."),
            },
        ),
        "plugin": Branch(
            "Plugins: packages that add commands.",
            {"list": Leaf("plugin.list", "List the plugins.")},
        ),
        "execution": Branch(
            "What workers do.",
            {"run": Leaf("execution.run", "Run the job of a run folder.", hidden=True)},
            hidden=True,
        ),
    },
)
