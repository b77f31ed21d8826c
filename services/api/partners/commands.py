from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import AlreadyExists, FieldProblem, InvalidRequest, NotFound
from services.api.job_configurations.commands import delete_configurations
from services.api.merge_patch import validate_merged
from services.api.partners.flows import flows_of, opened, require_no_credentials
from services.api.partners.schemas import CredentialsSent, PartnerSent
from services.api.schedules.accounts import forget_rejections
from services.api.schedules.definitions import lock_configurations
from services.api.schedules.schedule_rows import apply_definitions
from shared.models import CheckState, JobConfiguration, Partner
from shared.secret_box import SecretBox


async def create_partner(session: AsyncSession, sent: PartnerSent, box: SecretBox) -> Partner:
    """Raises `AlreadyExists`, `InvalidRequest`."""
    require_no_credentials(flows_of(sent), [_plain(sent.credentials), _plain(sent.sso.credentials)])
    sealed = {
        "sealed_credentials": _seal(sent.credentials, box),
        "sealed_sso_credentials": _seal(sent.sso.credentials, box),
    }
    row = insert(Partner).values(**_columns(sent), **sealed).on_conflict_do_nothing().returning(Partner)
    partner = await session.scalar(row)
    if partner is None:
        raise AlreadyExists("code", sent.code)
    return partner


async def edit_partner(session: AsyncSession, code: str, patch: dict[str, Any], box: SecretBox) -> Partner:
    """Merge, validate the whole, write. Raises `NotFound`, `InvalidRequest`."""
    partner = await _lock_partner(session, code)
    was_active = partner.active
    sent = _validate_merged(partner, patch, box)
    for name, value in _columns(sent).items():
        setattr(partner, name, value)
    if "credentials" in patch:
        partner.sealed_credentials = _seal(sent.credentials, box)
    if _touches_sso_credentials(patch):
        partner.sealed_sso_credentials = _seal(sent.sso.credentials, box)
    partner.updated_at = func.now()
    await session.flush()
    if "credentials" in patch or _touches_sso_credentials(patch):
        await forget_rejections(session, code)
    if partner.active != was_active:
        of_partner = JobConfiguration.partner == code
        await apply_definitions(session, await lock_configurations(session, of_partner), "The partner is not active.")
    await session.refresh(partner)
    return partner


async def delete_partner(session: AsyncSession, code: str) -> None:
    """With its job configurations and states; results stay. Raises `NotFound`."""
    partner = await _lock_partner(session, code, for_deletion=True)
    configurations = await lock_configurations(session, JobConfiguration.partner == code)
    await delete_configurations(session, configurations, "The partner was deleted.")
    await session.execute(delete(CheckState).where(CheckState.partner == code))
    await session.delete(partner)
    await session.flush()


async def _lock_partner(session: AsyncSession, code: str, *, for_deletion: bool = False) -> Partner:
    # An edit leaves the key alone, so it need not hold up a runner that folds a state of this partner.
    lock = select(Partner).where(Partner.code == code).with_for_update(key_share=not for_deletion)
    partner = await session.scalar(lock)
    if partner is None:
        raise NotFound(f"There is no partner {code!r}.")
    return partner


def _validate_merged(partner: Partner, patch: dict[str, Any], box: SecretBox) -> PartnerSent:
    before: dict[str, Any] = {
        name: getattr(partner, name)
        for name in PartnerSent.model_fields
        if name not in ("credentials", "sso", "product_page")
    }
    before["sso"] = dict(partner.sso)
    if partner.product_page:
        before["product_page"] = partner.product_page
    # Opened only when the patch is about them. One that can't be opened is nothing: the patch must bring all of it.
    if "credentials" in patch:
        before["credentials"] = opened(partner.sealed_credentials, box)
    if _touches_sso_credentials(patch):
        before["sso"]["credentials"] = opened(partner.sealed_sso_credentials, box)
    sent = validate_merged(PartnerSent, before, patch)
    if sent.code != partner.code:
        raise InvalidRequest(FieldProblem(field="code", message="never changes"))
    _require_placeholders(partner, sent, patch, box)
    return sent


def _require_placeholders(partner: Partner, sent: PartnerSent, patch: dict[str, Any], box: SecretBox) -> None:
    """Also when only the credentials change: a text that was harmless before may be one of them now."""
    flows = flows_of(sent)
    if not flows:
        return
    own = _plain(sent.credentials) if "credentials" in patch else opened(partner.sealed_credentials, box)
    touched = _touches_sso_credentials(patch)
    for_sso = _plain(sent.sso.credentials) if touched else opened(partner.sealed_sso_credentials, box)
    require_no_credentials(flows, [own, for_sso])


def _touches_sso_credentials(patch: dict[str, Any]) -> bool:
    if "sso" not in patch:
        return False
    return not isinstance(patch["sso"], dict) or "credentials" in patch["sso"]


def _columns(sent: PartnerSent) -> dict[str, Any]:
    columns = sent.model_dump(exclude={"credentials", "sso", "product_page"})
    if sent.active:
        columns["inactive_reason"] = None
    return {
        **columns,
        "sso": sent.sso.model_dump(exclude={"credentials"}),
        "product_page": sent.product_page.model_dump() if sent.product_page else {},
    }


def _plain(credentials: CredentialsSent | None) -> dict[str, Any] | None:
    return credentials.plain() if credentials else None


def _seal(credentials: CredentialsSent | None, box: SecretBox) -> bytes | None:
    return box.seal(credentials.plain()) if credentials else None
