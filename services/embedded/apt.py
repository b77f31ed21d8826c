"""Installs Debian packages where apt and root allow."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Sequence


class PackagesMissing(RuntimeError):
    """Programs are missing and cannot be installed from here; the message says how to."""


def install_command(packages: Sequence[str]) -> str:
    return f"apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"


async def install(what: str, packages: Sequence[str]) -> None:
    """Install `packages`, or raise `PackagesMissing` with the command that whoever may install can run."""
    by_hand = f"{what} was not found. Install it with:\n    sudo sh -c '{install_command(packages)}'"
    if shutil.which("apt-get") is None:
        raise PackagesMissing(
            f"{what} was not found, and this is no Debian or Ubuntu where it could be installed by apt."
        )
    if os.geteuid() != 0:
        raise PackagesMissing(by_hand)
    print(f"{what} was not found; installing {', '.join(packages)} ...", flush=True)
    quiet = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    for command in ([*quiet, "update"], [*quiet, "install", "--no-install-recommends", *packages]):
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise PackagesMissing(f"{output.decode(errors='replace')[-2000:]}\n{by_hand}")
