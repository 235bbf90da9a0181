"""Everything that a user of jobflow-remote may type is known here: done, or refused with a reason.

Commands of the web page are not in this version.
"""

from collections.abc import Iterator
from importlib import import_module

import click
import pytest

from towline.interfaces.cli.application import root
from towline.interfaces.cli.commands import COMMANDS, Branch, Leaf
from towline.interfaces.cli.parameters import command_of

ID = "[JOB_DB_ID] [JOB_INDEX]"
NEEDED_ID = "JOB_DB_ID [JOB_INDEX]"
FLOW = "FLOW_DB_ID --job/-j"
DATES = "--start-date/-sdate --end-date/-edate --days/-ds --hours/-hs"
JOBS = (
    f"--job-id/-jid --db-id/-did --flow-id/-fid --state/-s {DATES} --name/-n --metadata/-meta --worker/-wk --query/-q"
)
FLOWS = f"--job-id/-jid --db-id/-did --flow-id/-fid --state/-s {DATES} --name/-n"
MORE_FLOWS = f"{FLOWS} --metadata/-meta --locked/-l"
VERBOSITY = "--verbosity/-v"
WAIT, BREAK, RAISE = "--wait/-w", "--break-lock/-bl", "--raise-on-error/-re"
YES, YES_OR_FORCE = "--yes/-y", "--yes/-y --force/-f"
SORT = "--sort --reverse-sort/-revs"
MOST = "--max-results/-m"
COLUMNS = "--output/-o --stored-data-key/-sdk"
LOG = "--log-level/-log"
HALT = "--wait/-w --all/-a --json/-j --max-wait/-m"
INTERVAL = "[INTERVAL] [NUM_INTERVALS]"

REFERENCE = {
    "execution run": "[RUN_DIR]",
    "batch list": f"{MOST} {VERBOSITY} --worker/-wk --state/-s --job-id/-jid --db-id/-did",
    "batch info": "SELECTED_ID",
    "batch delete": f"{YES} --state/-s --process-id/-pid --batch-uid/-bid --worker/-wk",
    "flow list": f"{MORE_FLOWS} {VERBOSITY} {SORT} {MOST} --count",
    "flow delete": f"{FLOWS} {YES_OR_FORCE} {WAIT} {BREAK} {VERBOSITY} --max/-m --output/-o --files/-fi --all/-a "
    "--keep-processes/-kp",
    "flow info": f"{FLOW} {VERBOSITY} {COLUMNS} {SORT} --jobs-sort --reverse-jobs-sort/-jrevs --report/-rep",
    "flow graph": f"{FLOW} --label/-l --path/-p --dash/-d --mermaid/-m",
    "flow report": INTERVAL,
    "flow resume": FLOW,
    "flow clean": f"{MORE_FLOWS} {VERBOSITY} {YES} --force/-f --all-states/-as",
    "flow set store": f"{FLOW} [STORE]",
    "job list": f"{JOBS} {VERBOSITY} {SORT} {MOST} {COLUMNS} --locked/-l --latest-flow/-lf --error/-e --running/-run "
    "--count --color/-col",
    "job info": f"{ID} {VERBOSITY} --pid --show-none/-n",
    "job set-state": f"NEW_STATE {ID} {JOBS} {VERBOSITY} {WAIT} {BREAK}",
    "job rerun": f"{ID} {JOBS} {VERBOSITY} {WAIT} {BREAK} {RAISE} --force/-f --no-delete/-nd",
    "job retry": f"{ID} {JOBS} {VERBOSITY} {WAIT} {BREAK} {RAISE}",
    "job pause": f"{ID} {JOBS} {VERBOSITY} {WAIT} {RAISE}",
    "job resume": f"{ID} {JOBS} {VERBOSITY} {WAIT} {RAISE}",
    "job play": f"{ID} {JOBS} {VERBOSITY} {WAIT} {RAISE}",
    "job stop": f"{ID} {JOBS} {VERBOSITY} {WAIT} {BREAK} {RAISE}",
    "job delete": f"{ID} {JOBS} {VERBOSITY} {WAIT} {RAISE} --output/-o --files/-fi --all/-a",
    "job queue-out": NEEDED_ID,
    "job report": INTERVAL,
    "job todir": f"{NEEDED_ID} --shell/-s",
    "job dump": f"{JOBS} --path/-p",
    "job output": f"{NEEDED_ID} --path/-p --load/-l",
    "job set worker": f"WORKER_NAME {JOBS} {VERBOSITY} {RAISE}",
    "job set exec-config": f"EXEC_CONFIG_VALUE {JOBS} {VERBOSITY} {RAISE}",
    "job set resources": f"[RESOURCES_VALUE] {JOBS} {VERBOSITY} {RAISE} --replace/-r --qresources/-qr",
    "job set priority": f"PRIORITY_VALUE {JOBS} {VERBOSITY} {RAISE}",
    "job files ls": NEEDED_ID,
    "job files get": "JOB_DB_ID [FILENAMES...] --index/-i --path/-p",
    "job files delete": "JOB_DB_ID --index/-i --all-states/-as --force/-f",
    "project list": "--warn/-w",
    "project generate": "NAME --format/-f --full",
    "project check": "--jobstore/-js --queue/-q --worker/-w --errors/-e --full/-f",
    "project check-conflicts": "",
    "project remove": f"NAME {YES_OR_FORCE} --keep-folders/-k",
    "project exec_config list": VERBOSITY,
    "project worker list": VERBOSITY,
    "project edit replace": f"OLD_STRING NEW_STRING {YES_OR_FORCE} --all/-a --no-backup/-nb",
    "runner run": f"{LOG} --set-pid/-pid --transfer/-t --complete/-com --queue/-q --checkout/-cho "
    "--connect-interactive/-i --daemonized/-d",
    "runner start": f"{LOG} --transfer/-t --complete/-com --single/-s --connect-interactive/-i",
    "runner stop": HALT,
    "runner shutdown": HALT,
    "runner stop-processes": HALT,
    "runner kill": HALT,
    "runner restart": "",
    "runner status": "",
    "runner foreground": "",
    "runner info": f"{VERBOSITY} --pings/-p",
    "runner reset": f"{YES_OR_FORCE} {BREAK}",
    "runner update-status": f"{LOG} --set-pid/-pid --connect-interactive/-i",
    "plugin list": "--error/-e",
}

#: What has no meaning here. A refusal says what to do instead.
REFUSED = {
    "--break-lock",
    "--dash",
    "--connect-interactive",
    "--set-pid",
    "--daemonized",
    "--transfer",
    "--complete",
    "--queue",
    "--checkout",
    "--force",
}


def command_at(path: str) -> click.Command:
    node: Leaf | Branch = COMMANDS
    for name in path.split():
        assert isinstance(node, Branch)
        node = node.children[name]
    assert isinstance(node, Leaf)
    return command_of(import_module(node.module_name).command, path.split()[-1])


def names_of(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield from parameter.opts
        else:
            yield str(parameter.metavar)


@pytest.mark.parametrize("path", REFERENCE)
def test_every_argument_and_option_is_known(path: str) -> None:
    wanted = {name for word in REFERENCE[path].split() for name in word.split("/")}
    assert wanted <= set(names_of(command_at(path)))


@pytest.mark.parametrize("path", REFERENCE)
def test_options_with_two_names_are_one_option(path: str) -> None:
    options = {tuple(sorted(parameter.opts)) for parameter in command_at(path).params}
    pairs = {tuple(sorted(word.split("/"))) for word in REFERENCE[path].split() if word.count("/-") == 1}
    assert pairs <= options


def test_options_before_the_command_are_known() -> None:
    options = {name for parameter in root().params for name in parameter.opts}
    wanted = "--project -p --full-exc -fe --profile -prof --warn-project -wp --install-completion --show-completion"
    assert set(wanted.split()) <= options


@pytest.mark.parametrize("path", REFERENCE)
def test_what_is_refused_says_why(path: str) -> None:
    command = command_at(path)
    for parameter in command.params:
        if not (isinstance(parameter, click.Option) and parameter.hidden and parameter.opts[0] in REFUSED):
            continue
        if parameter.opts[0] == "--force" and "--yes/-y --force/-f" in REFERENCE[path]:
            continue
        needed = ["1"] * sum(isinstance(item, click.Argument) and item.required for item in command.params)
        with pytest.raises(click.UsageError, match=rf"{parameter.opts[0]} \w+ .*\w"):
            command.main(
                [*needed, parameter.opts[0], *([] if parameter.is_flag else ["2"])], standalone_mode=False, obj=None
            )
