"""The tables: one file each, thin methods that apply domain rules to a row."""

from shared.models.account import Account, AccountUse
from shared.models.api_key import ApiKey, IdempotencyKey
from shared.models.base import Base
from shared.models.browser import Browser
from shared.models.check_state import CheckState
from shared.models.check_try import CheckTry, TryEvidence
from shared.models.grid_node import GridNode
from shared.models.job import Job
from shared.models.job_configuration import JobConfiguration
from shared.models.job_result import Attempt, JobResult
from shared.models.job_state import DeadLetter, JobState
from shared.models.partner import Partner
from shared.models.replica import OrphanSession, Replica
from shared.models.schedule import Schedule
from shared.models.scheduled_job import ScheduledJob

__all__ = [
    "Account",
    "AccountUse",
    "ApiKey",
    "Attempt",
    "Base",
    "Browser",
    "CheckState",
    "CheckTry",
    "DeadLetter",
    "GridNode",
    "IdempotencyKey",
    "Job",
    "JobConfiguration",
    "JobResult",
    "JobState",
    "OrphanSession",
    "Partner",
    "Replica",
    "Schedule",
    "ScheduledJob",
    "TryEvidence",
]
