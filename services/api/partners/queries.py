from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import NotFound
from services.api.pagination import PageQuery, slug_cursor, write_cursor
from services.api.partners.schemas import CredentialsView, PartnerPage, PartnerView
from shared.models import Partner
from shared.secret_box import SecretBox, SecretUnreadable


async def find_partner(session: AsyncSession, code: str) -> Partner:
    """Raises `NotFound`."""
    partner = await session.get(Partner, code)
    if partner is None:
        raise NotFound(f"There is no partner {code!r}.")
    return partner


async def list_partners(session: AsyncSession, asked: PageQuery, box: SecretBox) -> PartnerPage:
    query = select(Partner).order_by(Partner.code).limit(asked.limit + 1)
    after = slug_cursor(asked.cursor)
    if after is not None:
        query = query.where(Partner.code > after)
    found = list(await session.scalars(query))
    items = [partner_view(partner, box) for partner in found[: asked.limit]]
    return PartnerPage(items=items, next_cursor=write_cursor(items[-1].code) if len(found) > asked.limit else None)


_PLAIN_FIELDS = (
    "code",
    "name",
    "active",
    "inactive_reason",
    "entry_point",
    "login",
    "express_checkout",
    "wait_override_seconds",
    "tags",
    "notes",
    "created_at",
    "updated_at",
)


def partner_view(partner: Partner, box: SecretBox) -> PartnerView:
    fields = {
        **{name: getattr(partner, name) for name in _PLAIN_FIELDS},
        "credentials": _credentials_view(partner.sealed_credentials, box),
        "sso": {**partner.sso, "credentials": _credentials_view(partner.sealed_sso_credentials, box)},
        "product_page": partner.product_page or None,
    }
    return PartnerView.model_validate(fields)


def _credentials_view(sealed: bytes | None, box: SecretBox) -> CredentialsView:
    if sealed is None:
        return CredentialsView(username_set=False, password_set=False, totp_secret_set=False)
    try:
        totp_secret_set = box.open(sealed).get("totp_secret") is not None
    except SecretUnreadable:
        return CredentialsView(username_set=True, password_set=True, totp_secret_set=None)
    return CredentialsView(username_set=True, password_set=True, totp_secret_set=totp_secret_set)
