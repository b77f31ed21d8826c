"""Where evidence lies: written by the runner, read by the API, cleared away by the scheduler."""

from shared.evidence_store.folder import FolderStore
from shared.evidence_store.place import EvidenceStore, Place, StoreUnavailable
from shared.settings import EvidenceSettings

__all__ = ["EvidenceStore", "Place", "StoreUnavailable", "open_store"]


def open_store(settings: EvidenceSettings) -> EvidenceStore:
    """Nothing is asked of the store yet."""
    if settings.evidence_store == "folder":
        return FolderStore(settings.evidence_dir)
    # The client is large, and only who chose this store needs it installed.
    from shared.evidence_store.s3 import S3Store

    access, secret = settings.evidence_s3_access_key, settings.evidence_s3_secret_key
    return S3Store(
        settings.evidence_s3_bucket or "",
        prefix=settings.evidence_s3_prefix,
        endpoint_url=settings.evidence_s3_endpoint_url,
        region=settings.evidence_s3_region,
        access_key=access.get_secret_value() if access else None,
        secret_key=secret.get_secret_value() if secret else None,
    )
