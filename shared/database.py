"""The connection to PostgreSQL, the ledger of everything that lasts."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

STATEMENT_TIMEOUT_SECONDS = 15


def connect(url: str, *, application_name: str, pool_size: int = 5) -> AsyncEngine:
    """An engine whose every wait ends: for a connection, for a statement and for a lock."""
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_pre_ping=True,
        # What is stored may be secret, and an error is logged.
        hide_parameters=True,
        connect_args={
            "timeout": 5,
            "command_timeout": STATEMENT_TIMEOUT_SECONDS,
            "server_settings": {
                "application_name": application_name,
                "timezone": "UTC",
                "statement_timeout": str(STATEMENT_TIMEOUT_SECONDS * 1000),
                "lock_timeout": "10000",
                # A process that is frozen in the middle of one must not keep its locks.
                "idle_in_transaction_session_timeout": "10000",
                "jit": "off",
            },
        },
    )
