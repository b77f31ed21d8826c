from pydantic import Field

from services.api.fields import ClassField, View


class OutcomeTypeView(View):
    """One code of the catalogue."""

    code: str
    outcome_class: ClassField
    success: bool
    description: str


class OutcomeTypes(View):
    items: list[OutcomeTypeView]
    next_cursor: None = Field(default=None, description="Always null: the catalogue is one page.")
