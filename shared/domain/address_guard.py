"""Which addresses a callback may be sent to: globally routable ones, and those that the allow-list names.

The tables are our own (after the IANA special-purpose registries), so that a verdict does not change with the version
of Python.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote

IPAddress = IPv4Address | IPv6Address

_V4_KINDS: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/32", "the unspecified address"),
        ("0.0.0.0/8", 'an address of "this network"'),
        ("10.0.0.0/8", "a private address"),
        ("172.16.0.0/12", "a private address"),
        ("192.168.0.0/16", "a private address"),
        ("100.64.0.0/10", "a shared address (carrier-grade NAT)"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address (cloud metadata)"),
        # Globally routable by its number, but inside of Azure it is the platform's own service.
        ("168.63.129.16/32", "an address of a cloud's platform (metadata)"),
        ("192.0.0.0/24", "a reserved address (protocol assignments)"),
        ("192.0.2.0/24", "a reserved address (documentation)"),
        ("198.51.100.0/24", "a reserved address (documentation)"),
        ("203.0.113.0/24", "a reserved address (documentation)"),
        ("192.88.99.0/24", "a reserved address (6to4 relays)"),
        ("198.18.0.0/15", "a reserved address (benchmarks)"),
        ("224.0.0.0/4", "a multicast address"),
        ("255.255.255.255/32", "the broadcast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)
_V6_KINDS: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "the unspecified address"),
        ("::1/128", "a loopback address"),
        ("fc00::/7", "a private address"),
        ("fec0::/10", "a private address (site-local)"),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
        ("64:ff9b:1::/48", "a private address (local NAT64)"),
        ("2001::/32", "a reserved address (Teredo)"),
        ("2001::/23", "a reserved address (protocol assignments)"),
        ("2001:db8::/32", "a reserved address (documentation)"),
        ("3fff::/20", "a reserved address (documentation)"),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# The last label holds a letter and starts with one: else it could be read as a number.
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)*(?=[a-z_]){_LABEL}")
_NUMBER = re.compile(r"0x(?P<hex>[0-9a-f]*)|(?P<octal>0[0-7]*)|(?P<decimal>[1-9][0-9]*)")


class ForbiddenAddress(ValueError):
    """The message names the address and its kind."""


class AddressGuard:
    """Says whether a connection may be opened.

    An item of `allow` is an IP address, a network (10.0.0.0/8), or a host name, the first and the last also with a port
    (127.0.0.1:8080, [::1]:8080, hooks.internal:443). An allowed host name covers all addresses of that name, and opens
    none of them to another name. Raises ValueError naming an item that is none of these.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._addresses: set[tuple[IPAddress, int | None]] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        self._hosts: set[tuple[str, int | None]] = set()
        for item in allow:
            self._add(item)

    def check(self, address: str, host: str, port: int) -> None:
        """`address` is the one about to be connected to, `host` the name in the URL. Raises ForbiddenAddress."""
        host = host_key(host)
        if (host, None) in self._hosts or (host, port) in self._hosts:
            return
        parsed = _parsed(address)
        if parsed is None:
            raise ForbiddenAddress(f"{address!r} is not an IP address")
        if self._listed(parsed, port):
            return
        for embedded in _embedded(parsed):
            kind = _kind(embedded)
            if kind is not None and not self._listed(embedded, port):
                raise ForbiddenAddress(f"{parsed} leads to {embedded}, {kind}")
        kind = _kind(parsed)
        if kind is not None:
            raise ForbiddenAddress(f"{parsed} is {kind}")

    def check_host(self, host: str, port: int) -> None:
        """What can be said before any look-up, of IP literals and of localhost. Raises ForbiddenAddress."""
        address = literal_address(host)
        if address is not None:
            self.check(address, host, port)

    def _listed(self, address: IPAddress, port: int) -> bool:
        return (
            (address, None) in self._addresses
            or (address, port) in self._addresses
            or any(address in network for network in self._networks)
        )

    def _add(self, item: str) -> None:
        text = item.strip()
        try:
            if "/" in text:
                self._networks.append(ip_network(text))
                return
            name, port = _split_port(text)
            if _is_address(name):
                address = ip_address(name)
                self._addresses.add(((address.ipv4_mapped if address.version == 6 else None) or address, port))
                return
            host = host_key(name)
            if not _HOST_NAME.fullmatch(host) or len(host) > 253:
                raise ValueError
            self._hosts.add((host, port))
        except ValueError:
            raise ValueError(f"{item!r} is not an IP address, a network, a host name, or one with a port") from None


def literal_address(host: str) -> str | None:
    """The address that the system's resolver would read from `host` without asking anybody, else None.

    Beside dotted quads these are the old spellings that inet_aton takes (2130706433, 0x7f.1, 0177.0.0.1, 127.1), IPv6
    with or without brackets, and localhost with all below it (RFC 6761), which is 127.0.0.1 here. A zone is left out.
    """
    if ":" in host:
        address = _parsed(host.strip().removeprefix("[").removesuffix("]"))
        return None if address is None else str(address)
    name = host_key(unicodedata.normalize("NFKC", unquote(host).strip()).replace("\u3002", "."))
    if name == "localhost" or name.endswith(".localhost"):
        return "127.0.0.1"
    parts = name.split(".")
    numbers = [_number(part) for part in parts]
    if len(parts) > 4 or None in numbers:
        return None
    *heads, last = (number for number in numbers if number is not None)
    if any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        return None
    return str(IPv4Address(sum(head << 8 * (3 - place) for place, head in enumerate(heads)) + last))


def host_key(host: str) -> str:
    """A host name as it is compared: lower case, ASCII, without a final dot."""
    host = host.rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def _number(part: str) -> int | None:
    match = _NUMBER.fullmatch(part)
    if match is None or len(part) > 40:
        return None
    for base, digits in ((16, match["hex"]), (8, match["octal"]), (10, match["decimal"])):
        if digits is not None:
            return int(digits or "0", base)
    return None


def _parsed(address: str) -> IPAddress | None:
    """An IPv4-mapped IPv6 address is the IPv4 address: that is what the kernel connects to."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None) or parsed


def _embedded(address: IPAddress) -> Iterator[IPv4Address]:
    """The IPv4 addresses that a gateway would send packets on to."""
    if isinstance(address, IPv4Address):
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _kind(address: IPAddress) -> str | None:
    """None when it is globally routable."""
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _V4_KINDS if address in network), None)
    kind = next((kind for network, kind in _V6_KINDS if address in network), None)
    if kind is None and address not in _GLOBAL_UNICAST and address not in _NAT64:
        return "a reserved address"
    return kind


def _is_address(name: str) -> bool:
    """Raises ValueError for a number that is no dotted quad: nobody could tell which address is meant."""
    if ":" in name:
        return True
    if literal_address(name) is None or host_key(name).endswith("localhost"):
        return False
    ip_address(name)
    return True


def _split_port(text: str) -> tuple[str, int | None]:
    """Raises ValueError."""
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in name or (rest and not rest.startswith(":")):
            raise ValueError
        return name, _port(rest[1:]) if rest else None
    if text.count(":") == 1:
        name, _, port = text.partition(":")
        return name, _port(port)
    return text, None


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError
    return int(text)
