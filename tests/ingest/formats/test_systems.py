"""Which system a client means, by the names that os-release and crash reporters use; and what is none of ours."""

from __future__ import annotations

import pytest

from ingest.formats.systems import of_output, os_type, version_of_windows

# ID of os-release, then NAME or PRETTY_NAME of some.
LINUXES = (
    "almalinux", "alpine", "amzn", "arch", "azurelinux", "bottlerocket", "centos", "chromeos", "cos", "debian",
    "devuan", "endeavouros", "fedora", "flatcar", "gentoo", "kali", "linuxmint", "mageia", "manjaro", "mariner",
    "nixos", "ol", "openEuler", "opensuse-leap", "opensuse-tumbleweed", "photon", "pop", "raspbian", "rhel", "rocky",
    "sled", "sles", "slackware", "steamos", "ubuntu", "void", "wolfi", "zorin",
    "Amazon Linux 2023", "Chromium OS", "Container-Optimized OS from Google", "KDE neon User Edition", "NixOS 25.11",
    "Pop!_OS 24.04 LTS", "Raspberry Pi OS", "Redhat", "SUSE Linux Enterprise Server 15 SP6", "elementary OS 8",
    "Oracle Linux Server 9.4", "VMware Photon OS/Linux",
)  # fmt: skip


@pytest.mark.parametrize("name", LINUXES)
def test_distributions_are_linux(name):
    assert os_type(name) == "linux"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Mac", "darwin"),
        ("Mac OS X", "darwin"),
        ("Mac OS X 14.5.0", "darwin"),
        ("Macintosh", "darwin"),
        ("macOS", "darwin"),
        ("Darwin 23.1.0", "darwin"),
        ("Microsoft Windows 10.0.19045", "windows"),
        ("Windows 11  (10.0.22631) 64bit", "windows"),
        ("Win32", "windows"),
    ],
)
def test_macs_and_windows_are_known_by_all_their_names(name, expected):
    assert os_type(name) == expected


@pytest.mark.parametrize(
    "name", ["FreeBSD 14.1", "Oracle Solaris", "Machine OS", "Olson", "Voidling", "PopOS-like", "z_os"]
)
def test_another_system_keeps_its_name_so_that_the_rules_can_say_it(name):
    assert os_type(name, ["/usr/lib/x.so"]) == name


def test_a_name_that_two_systems_share_leaves_it_to_the_paths():
    assert os_type("Unix 22.6.0.0", ["/Users/ann/Acme/Run.cs"]) == "darwin"
    assert os_type("Unix 6.8.0.45", ["/srv/acme/Run.cs"]) == "linux"
    assert os_type("Unix 6.8.0.45") is None


@pytest.mark.parametrize(
    ("build", "version"),
    [
        ("19045", "10.0.19045"),
        ("26100", "10.0.26100"),
        ("9600", "6.3.9600"),
        ("7601", "6.1.7601"),
        ("9601", None),
        ("", None),
    ],
)
def test_a_build_of_windows_tells_its_version(build, version):
    assert version_of_windows(build) == version


@pytest.mark.parametrize(
    ("line", "system"),
    [
        ("    #0 0x49 in push (/srv/relay/relay.exe+0x49)", "linux"),
        ("    #0 0x49 in push (relay.exe+0x49)", "windows"),
        ("   at Relay.Push() in C:/Program Files/Relay/relay.exe:3", "windows"),
        ("    #0 0x49 in push (/usr/local/lib/librelay.dylib+0x49)", "darwin"),
        (" 1: 0x10486f7c0 relay::push(int) [/opt/homebrew/bin/relay]", "darwin"),
    ],
)
def test_paths_in_an_output_tell_its_system(line, system):
    assert of_output(["relay: 3 items", line]) == system
