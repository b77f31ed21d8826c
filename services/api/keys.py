"""`python -m services.api.keys`: API keys, and the rotation of the keys that encrypt credentials."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any
from uuid import uuid4

import typer
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.api.auth import Scope, hash_key, new_key
from shared.database import connect
from shared.models import ApiKey, Base, Job, Partner
from shared.secret_box import SecretBox
from shared.settings import SecretSettings, Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Name = Annotated[str, typer.Option(help="Who uses it; shown as the author of pauses and cancels.")]


@app.command()
def create(
    name: Name,
    scope: Annotated[Scope, typer.Option(help="Each includes those before it.")],
) -> None:
    """Make a key and print it. It is shown this once: only its hash is stored."""
    if not re.fullmatch(r"[\w][\w .@-]{0,62}", name):
        raise typer.BadParameter("1 to 63 letters, digits, blanks, dots, dashes and @", param_hint="--name")
    typer.echo(_run(lambda session: create_key(session, name, [scope])))


@app.command("list")
def list_keys() -> None:
    """Print every key's name, scopes, and when it was made and revoked."""
    for key in _run(_read_keys):
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}Z" if key.revoked_at else "valid"
        typer.echo(f"{key.name}\t{','.join(key.scopes)}\tmade {key.created_at:%Y-%m-%d %H:%M}Z\t{state}")


@app.command()
def revoke(name: Name) -> None:
    """Make a key useless, at once and for good."""
    if not _run(lambda session: revoke_key(session, name)):
        typer.echo(f"There is no valid key named {name!r}.", err=True)
        raise typer.Exit(1)


@app.command()
def rotate_secrets() -> None:
    """Encrypt all credentials under the first secret key; afterwards the others can be taken away."""
    box = SecretBox(SecretSettings().keys())
    typer.echo(f"{_run(lambda session: rotate(session, box))} partners and jobs now use the first key.")


async def create_key(session: AsyncSession, name: str, scopes: list[Scope]) -> str:
    """The key. Its name must be new, so that an author is never two."""
    key = new_key()
    row = insert(ApiKey).values(id=uuid4(), name=name, sha256=hash_key(key), scopes=list(scopes))
    made = await session.scalar(row.on_conflict_do_nothing().returning(ApiKey.id))
    if made is None:
        raise typer.BadParameter(f"{name!r} exists; names are never used twice", param_hint="--name")
    return key


async def revoke_key(session: AsyncSession, name: str) -> bool:
    change = update(ApiKey).where(ApiKey.name == name, ApiKey.revoked_at.is_(None)).values(revoked_at=func.now())
    return await session.scalar(change.returning(ApiKey.id)) is not None


async def rotate(session: AsyncSession, box: SecretBox) -> int:
    """How many partners and jobs. Raises `SecretUnreadable`, and then changes nothing at all."""
    holders = [
        *await _rotate_all(session, box, Partner, Partner.code, ("sealed_credentials", "sealed_sso_credentials")),
        *await _rotate_all(session, box, Job, Job.id, ("sealed_headers", "sealed_signing_secrets")),
    ]
    return len(holders)


async def _rotate_all(
    session: AsyncSession, box: SecretBox, kind: type[Base], key: InstrumentedAttribute[Any], columns: Sequence[str]
) -> list[Base]:
    """Those of this kind that hold any secret."""
    sealed = or_(*(getattr(kind, column).is_not(None) for column in columns))
    found = list(await session.scalars(select(kind).where(sealed).order_by(key).with_for_update(key_share=True)))
    for holder in found:
        for column in columns:
            if getattr(holder, column) is not None:
                setattr(holder, column, box.rotate(getattr(holder, column)))
    return found


async def _read_keys(session: AsyncSession) -> list[ApiKey]:
    return list(await session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.name)))


def _run(work: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    async def in_transaction() -> Any:
        engine = connect(Settings.model_validate({}).database_url, application_name="parakeet keys", pool_size=1)
        try:
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                return await work(session)
        finally:
            await engine.dispose()

    return asyncio.run(in_transaction())


if __name__ == "__main__":
    app()
