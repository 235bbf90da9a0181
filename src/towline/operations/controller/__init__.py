"""The queue of a project as an object, for scripts; methods and parameters are named as in jobflow-remote.

Every method hands over to a function of the operations.
"""

from towline.operations.controller.absent import AbsentMethods
from towline.operations.controller.batches import BatchProcesses
from towline.operations.controller.flow_actions import FlowActions
from towline.operations.controller.flow_reading import FlowReading
from towline.operations.controller.job_actions import JobActions
from towline.operations.controller.job_reading import JobReading
from towline.operations.controller.upkeep import Upkeep


class JobController(JobReading, FlowReading, JobActions, FlowActions, BatchProcesses, Upkeep, AbsentMethods):
    """The queue of a project. Made by :meth:`from_project_name` or :meth:`from_project`; to be closed."""
