"""Which addresses callbacks may go to, by tables."""

import pytest

from shared.domain.address_guard import AddressGuard, ForbiddenAddress, literal_address


def refusal(address: str, *allow: str, host: str = "hooks.example", port: int = 443) -> str | None:
    try:
        AddressGuard(allow).check(address, host, port)
    except ForbiddenAddress as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "2606:2800:220:1:248:1893:25c8:1946",
        "2a00:1450:4001:81b::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_globally_routable_addresses_are_free(address: str) -> None:
    assert refusal(address) is None


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("100.100.100.200", "carrier-grade NAT"),
        ("169.254.169.254", "cloud metadata"),
        ("168.63.129.16", "metadata"),
        ("192.0.0.192", "reserved"),
        ("192.0.2.1", "documentation"),
        ("198.18.0.1", "benchmarks"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "this network"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "site-local"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "private"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("4000::1", "reserved"),
        ("64:ff9b:1::a00:1", "private"),
    ],
)
def test_all_others_are_forbidden_by_their_kind(address: str, kind: str) -> None:
    assert kind in (refusal(address) or "")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1 is a loopback"),
        ("::ffff:a9fe:a9fe", "169.254.169.254 is a link-local"),
        ("::127.0.0.1", "leads to 127.0.0.1, a loopback"),
        ("64:ff9b::7f00:1", "leads to 127.0.0.1, a loopback"),
        ("64:ff9b::a9fe:a9fe", "leads to 169.254.169.254"),
        ("2002:7f00:1::", "leads to 127.0.0.1, a loopback"),
        ("2002:a00:1::1", "leads to 10.0.0.1, a private"),
        # Teredo: the server 8.8.8.8, and the client 10.0.0.1 with its bits inverted.
        ("2001:0:808:808:0:0:f5ff:fffe", "leads to 10.0.0.1, a private"),
        ("2001:0:808:808:0:0:f7f7:f7f7", "Teredo"),
        ("::8.8.8.8", "reserved"),
    ],
)
def test_an_embedded_ipv4_address_is_judged_as_well(address: str, said: str) -> None:
    assert said in (refusal(address) or "")


@pytest.mark.parametrize("address", ["", "hooks.example", "127.1", "1", "a:b"])
def test_what_is_no_address_is_forbidden(address: str) -> None:
    assert "is not an IP address" in (refusal(address) or "")


@pytest.mark.parametrize(
    ("address", "allow", "port", "allowed"),
    [
        ("10.0.0.5", "10.0.0.5", 80, True),
        ("10.0.0.5", "10.0.0.5:80", 80, True),
        ("10.0.0.5", "10.0.0.5:80", 81, False),
        ("10.0.0.6", "10.0.0.5", 80, False),
        ("10.0.0.5", "10.0.0.0/8", 80, True),
        ("192.168.0.1", "10.0.0.0/8", 80, False),
        ("::1", "::1", 80, True),
        ("::1", "[::1]:80", 80, True),
        ("::1", "[::1]:80", 81, False),
        ("::1", "127.0.0.1", 80, False),
        ("::ffff:127.0.0.1", "127.0.0.1", 80, True),
        ("127.0.0.1", "::ffff:127.0.0.1", 80, True),
        ("64:ff9b::10.0.0.1", "10.0.0.1", 80, True),
        ("64:ff9b::10.0.0.2", "10.0.0.1", 80, False),
        ("fd00::7", "fd00::/8", 80, True),
        ("10.0.0.5", "hooks.internal", 80, True),
        ("10.0.0.5", "HOOKS.internal.", 80, True),
        ("10.0.0.5", "hooks.internal:80", 80, True),
        ("10.0.0.5", "hooks.internal:80", 81, False),
        ("10.0.0.5", "internal", 80, False),
        ("10.0.0.5", "other.internal", 80, False),
    ],
)
def test_the_allow_list_opens_what_it_names_and_no_more(address: str, allow: str, port: int, allowed: bool) -> None:
    assert (refusal(address, allow, host="hooks.internal", port=port) is None) is allowed


def test_an_allowed_host_name_opens_its_address_to_no_other_name() -> None:
    assert refusal("10.0.0.5", "hooks.internal", host="Hooks.Internal.") is None
    assert refusal("10.0.0.5", "hooks.internal", host="evil.example") is not None
    assert refusal("10.0.0.5", "bücher.internal", host="xn--bcher-kva.internal") is None


@pytest.mark.parametrize(
    "item",
    [
        "",
        "10.0.0.0/33",
        "10.0.0.5/8",
        "10.0.0.256",
        "127.1",
        "2130706433",
        "http://a.example",
        "a b",
        "a.example:0",
        "a.example:65536",
        "a.example:x",
        "[::1",
        "[::1]80",
        "[a.example]:80",
        "fe80::1:",
        "*.example",
        "-a.example",
    ],
)
def test_a_bad_item_is_named(item: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address, a network, a host name") as raised:
        AddressGuard([item])
    assert repr(item) in str(raised.value)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0X7F.0.0.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0x", "0.0.0.0"),
        ("10.65535", "10.0.255.255"),
        ("%31%32%37.0.0.1", "127.0.0.1"),
        ("①②⑦.0.0.1", "127.0.0.1"),
        ("127。0。0。1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("fe80::1%25eth0", "fe80::1"),
        ("localhost", "127.0.0.1"),
        ("LocalHost.", "127.0.0.1"),
        ("a.b.localhost", "127.0.0.1"),
        ("256.0.0.1", None),
        ("127.0.0.0.1", None),
        ("1.2.3.08", None),
        ("4294967296", None),
        ("127..1", None),
        ("hooks.example", None),
        ("1.example", None),
        ("notlocalhost", None),
        ("0x7f.example", None),
        ("a:b", None),
        ("", None),
    ],
)
def test_literals_are_read_as_the_resolver_would(host: str, address: str | None) -> None:
    assert literal_address(host) == address


def test_a_host_is_judged_before_any_look_up_when_it_can_be() -> None:
    guard = AddressGuard(["localhost:8080"])
    guard.check_host("hooks.example", 80)
    guard.check_host("localhost", 8080)
    for host, port in (("localhost", 80), ("0x7f.1", 8080), ("[::1]", 8080)):
        with pytest.raises(ForbiddenAddress):
            guard.check_host(host, port)
