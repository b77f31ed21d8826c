"""Whether a flow could be stored, and what to think about in it."""

from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import FieldProblem, InvalidRequest, field_problems
from services.api.flows.schemas import FlowToValidate, Validated
from services.api.partners.flows import opened, require_no_credentials
from services.api.partners.queries import find_partner
from shared.domain.flow import Flow
from shared.domain.flow_rules import warnings_of
from shared.secret_box import SecretBox


def judge(given: Any) -> tuple[Flow | None, list[FieldProblem], list[FieldProblem]]:
    """The flow, when it is one; what is wrong with it; what to think about."""
    try:
        flow = Flow.model_validate(given)
    except ValidationError as error:
        problems = field_problems(error.errors(include_input=False, include_context=False, include_url=False), skip=0)
        return None, [_within(problem) for problem in problems], []
    return flow, [], [FieldProblem(field=field, message=message) for field, message in warnings_of(flow)]


async def validate(session: AsyncSession, sent: FlowToValidate, box: SecretBox) -> Validated:
    """Raises `NotFound` for an unknown partner."""
    flow, errors, warnings = judge(sent.flow)
    if flow is not None and sent.partner is not None:
        partner = await find_partner(session, sent.partner)
        log_ins = [opened(each, box) for each in (partner.sealed_credentials, partner.sealed_sso_credentials)]
        try:
            require_no_credentials({"": flow}, log_ins)
        except InvalidRequest as refused:
            errors = [FieldProblem(field=each.field.lstrip("."), message=each.message) for each in refused.fields]
        warnings += _missing(flow, log_ins)
    return Validated(valid=not errors, errors=errors, warnings=warnings)


def _within(problem: FieldProblem) -> FieldProblem:
    return FieldProblem(field="flow" if problem.field == "body" else problem.field, message=problem.message)


def _missing(flow: Flow, log_ins: list[dict[str, Any]]) -> list[FieldProblem]:
    stored = {"totp" if name == "totp_secret" else name for each in log_ins for name, value in each.items() if value}
    return [
        FieldProblem(field="flow", message=f"asks for {{{{{value}}}}}, of which the partner has none stored")
        for value in sorted(flow.values() - stored)
    ]
