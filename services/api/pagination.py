"""Lists in pages: an opaque cursor holds the sort key of the last item that was given out."""

import base64
import json
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError

from services.api.errors import InvalidCursor
from services.api.fields import Asked, SentMoment, Slug

MAX_LIMIT = 500


class PageQuery(Asked):
    limit: int = Field(default=50, ge=1, le=MAX_LIMIT, description="How many items at most.")
    cursor: str | None = Field(default=None, max_length=500, description="The `next_cursor` of the page before.")


_MOMENT_AND_ID = TypeAdapter(tuple[SentMoment, UUID])
_SLUG = TypeAdapter(Slug)


def moment_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Raises `InvalidCursor`."""
    return cast("tuple[datetime, UUID] | None", _read(cursor, _MOMENT_AND_ID))


def slug_cursor(cursor: str | None) -> str | None:
    """Raises `InvalidCursor`."""
    return cast("str | None", _read(cursor, _SLUG))


def _read(cursor: str | None, kind: TypeAdapter[Any]) -> Any:
    if cursor is None:
        return None
    try:
        return kind.validate_json(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, ValidationError):
        raise InvalidCursor from None


def write_cursor(key: str | tuple[datetime, UUID]) -> str:
    plain = key if isinstance(key, str) else [key[0].isoformat(), str(key[1])]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode()
