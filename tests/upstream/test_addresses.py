# SPDX-License-Identifier: Apache-2.0
"""Which addresses are public."""

import pytest

from trunkline_server.upstream.addresses import is_public, make_judge

PRIVATE = [
    *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),  # noqa: S104 - nothing is bound
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("198.18.0.1", "192.0.2.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1"),
    *("255.255.255.255", "192.88.99.1"),
    *(
        "::1",
        "::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
    ),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "2002:7f00:1::", "2002:a00:1::1"),
    *("2001:0:7f00:1::1", "2001:4860::5efe:10.0.0.1", "2001:4860::200:5efe:127.0.0.1", "100::1"),
    *("localhost", "", "0x7f000001", "127.1", "2606:4700::1111%1"),
]
PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "93.184.216.34", "172.32.0.1", "192.169.0.1", "100.128.0.1"),
    *("2606:4700:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    """No machine of a network of one's own, no service of a cloud, and nothing that stands for one."""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    """The rest of the network is public, through a translator too."""
    assert is_public(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.2.3", True),
        ("10.1.3.3", False),
        ("fd00::7", True),
        ("8.8.8.8", True),
        ("::ffff:10.1.2.3", False),
        ("localhost", False),
    ],
)
def test_networks_that_are_allowed(address: str, expected: bool) -> None:
    """Networks of the settings are allowed beside the public ones, and nothing around them."""
    assert make_judge(["10.1.2.0/24", "fd00::/64"])(address) is expected


def test_no_networks() -> None:
    """Without any, the judge is the usual one."""
    assert make_judge([]) is is_public
