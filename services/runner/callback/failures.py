"""What an exception of aiohttp says about the target, the network, or us."""

import errno
from dataclasses import dataclass

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientOSError,
    ClientSSLError,
    InvalidURL,
)

from services.runner.callback.connection import Progress
from services.runner.callback.request import BadRedirect, BadUrl
from shared.domain.address_guard import AddressGuard, ForbiddenAddress
from shared.domain.callback import Network

_BY_ERRNO = {
    errno.ENETUNREACH: Network.UNREACHABLE,
    errno.EHOSTUNREACH: Network.UNREACHABLE,
    errno.ENETDOWN: Network.UNREACHABLE,
    errno.EHOSTDOWN: Network.UNREACHABLE,
    errno.ETIMEDOUT: Network.CONNECT_TIMEOUT,
}
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL})


class TooManyRedirects(Exception):
    """The limit is the task's."""


@dataclass(frozen=True, slots=True)
class Finding:
    """At most one of `network`, `forbidden` and `fault`; the fields of CallbackFacts of the same names."""

    network: Network | None = None
    detail: str = ""
    forbidden: str | None = None
    fault: str | None = None


def finding_of(error: Exception, progress: Progress, guard: AddressGuard, port: int) -> Finding:
    forbidden = _forbidden(error, progress, guard, port)
    if forbidden is not None:
        return Finding(forbidden=forbidden)
    match error:
        case BadRedirect():
            return Finding(Network.REDIRECTED_BADLY, str(error))
        case TooManyRedirects():
            return Finding(Network.TOO_MANY_REDIRECTS)
        case TimeoutError():
            return Finding(Network.TIMEOUT if progress.connected else Network.CONNECT_TIMEOUT)
        case ClientConnectorDNSError() | UnicodeError():
            # A label that no name can have breaks the encoding before any look-up.
            return Finding(Network.DNS)
        case ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
            return Finding(Network.TLS, reason)
        case ClientSSLError():
            return Finding(Network.TLS, getattr(error.os_error, "reason", None) or "")
        case ClientOSError() if error.errno in _OURS:
            return Finding(fault=f"{errno.errorcode[error.errno]}.")
        case ClientConnectorError():
            return Finding(_BY_ERRNO.get(error.errno or 0, Network.REFUSED))
        case ClientError() | OSError():
            return Finding(Network.BROKEN)
    return Finding(fault=f"{type(error).__name__}.")


def _forbidden(error: Exception, progress: Progress, guard: AddressGuard, port: int) -> str | None:
    """Forbidden when no address of the host was permitted; when one was, its trouble is what counts."""
    if isinstance(error, BadUrl):
        return str(error)
    if isinstance(error, InvalidURL | ClientConnectorDNSError):
        # aiohttp refuses old spellings of addresses itself, and few resolvers know names below localhost.
        try:
            guard.check_host(progress.host, port)
        except ForbiddenAddress as forbidden:
            return str(forbidden)
        return "the URL is not valid" if isinstance(error, InvalidURL) else None
    refused = progress.forbidden is not None and not progress.permitted and not progress.connected
    return str(progress.forbidden) if refused else None
