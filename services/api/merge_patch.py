"""RFC 7396 merge patch: objects are merged, null takes a member away (so its default applies), the rest replaces."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from services.api.errors import FieldProblem, InvalidRequest, field_problems, invalid
from services.api.fields import MAX_DEPTH

Model = TypeVar("Model", bound=BaseModel)
MEDIA_TYPE = "application/merge-patch+json"


def validate_merged(model: type[Model], before: dict[str, Any], patch: dict[str, Any]) -> Model:
    """The whole after the patch. Raises `InvalidRequest`."""
    if _is_deep(patch):
        raise InvalidRequest(FieldProblem(field="body", message=f"is nested deeper than {MAX_DEPTH} levels"))
    try:
        sent = model.model_validate(merge(before, patch))
    except ValidationError as error:
        raise invalid(error) from None
    _refuse_unknown_nulls(model, before, patch)
    return sent


def _refuse_unknown_nulls(model: type[Model], before: dict[str, Any], patch: dict[str, Any]) -> None:
    """A null leaves nothing behind that could be refused, so its name is looked at by itself: it may be misspelt."""
    try:
        model.model_validate(merge(before, patch, keep_null=True))
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False)
        unknown = [each for each in found if each["type"] == "extra_forbidden"]
        if unknown:
            raise InvalidRequest(*field_problems(unknown, skip=0)) from None


def _is_deep(value: Any, depth: int = 0) -> bool:
    if depth > MAX_DEPTH:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_is_deep(item, depth + 1) for item in inner)


def merge(target: Any, patch: Any, *, keep_null: bool = False) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None and not keep_null:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value, keep_null=keep_null)
    return merged


def patch_body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI of a PATCH: the fields of `model`, none of them required, those with a default also null."""
    schema = model.model_json_schema()
    content = {"schema": _partial(schema, schema.get("$defs", {})), "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content, MEDIA_TYPE: content}}}


def _partial(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return {**schema, "anyOf": [_partial(branch, definitions) for branch in schema["anyOf"]]}
    if schema.get("type") != "object" or "properties" not in schema:
        whole: dict[str, Any] = _elsewhere(schema)  # not merged, but replaced
        return whole
    required = schema.get("required", [])
    kept = ("type", "title", "description", "additionalProperties")
    properties = {
        name: _partial(field, definitions) if name in required else _nullable(_partial(field, definitions))
        for name, field in schema["properties"].items()
    }
    return {**{key: schema[key] for key in kept if key in schema}, "properties": properties}


def _elsewhere(schema: Any) -> Any:
    """With references to the description's own schemas, where FastAPI puts those of the bodies."""
    if isinstance(schema, dict):
        return {key: _elsewhere(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_elsewhere(item) for item in schema]
    return schema.replace("#/$defs/", "#/components/schemas/") if isinstance(schema, str) else schema


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in schema.items() if key != "default"}
    if schema.get("type") == "null" or {"type": "null"} in schema.get("anyOf", ()):
        return schema
    return {"anyOf": [schema, {"type": "null"}]}
