"""Puts an application's packages into a folder of its own in the checkout's cache, by pip or by npm."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.process import CACHE

# Scripts name their interpreter, so the path must not be that of a link.
FOLDER = (CACHE / "real-sites").resolve()
_INSTALL_SECONDS = 900


class NotInstallable(RuntimeError):
    """This machine cannot have the application; says why, in the installing program's last words."""


@dataclass(frozen=True, slots=True)
class PyPI:
    """Requirements such as `django==5.2.8`; the first is the application itself."""

    requirements: tuple[str, ...]
    # When it needs another one than ours, such as "3.13".
    python: str | None = None

    def programs(self, folder: Path) -> Path:
        return folder / "bin"

    def version(self) -> str:
        return self.requirements[0].rpartition("==")[2]

    async def install(self, folder: Path) -> None:
        await _run([_python(self.python) if self.python else sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        await _run([*pip, "--prefer-binary", *self.requirements])


@dataclass(frozen=True, slots=True)
class Npm:
    """Packages such as `node-red@4.1.1`; the first is the application itself."""

    requirements: tuple[str, ...]
    # What a package asks for by a tag that not every registry has, such as {"node-fetch": "2.7.0"}.
    overrides: Mapping[str, str] = field(default_factory=dict)

    def programs(self, folder: Path) -> Path:
        return folder / "node_modules" / ".bin"

    def version(self) -> str:
        return self.requirements[0].rpartition("@")[2]

    async def install(self, folder: Path) -> None:
        if shutil.which("npm") is None:
            raise NotInstallable("there is no npm on this machine")
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"private": True, "overrides": dict(self.overrides)}))
        npm = ["npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--omit=dev"]
        await _run([*npm, "--prefix", str(folder), *self.requirements])


async def installed(packages: PyPI | Npm) -> Path:
    """The folder that holds these packages; installs them unless they are there. Raises `NotInstallable`."""
    folder = FOLDER / re.split(r"[\[=@]", packages.requirements[0])[0]
    stamp, wanted = folder / "installed.txt", "\n".join(packages.requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        await packages.install(folder)
        stamp.write_text(wanted)
    return folder


def _python(version: str) -> str:
    """One that starts: a version manager has a `python3.13` in the path for every version that it might have."""
    managed = Path.home().glob(f".pyenv/versions/{version}*/bin/python")
    for path in [shutil.which(f"python{version}"), *map(str, managed)]:
        if path and subprocess.run([path, "-c", ""], capture_output=True, timeout=30, check=False).returncode == 0:
            return path
    raise NotInstallable(f"there is no Python {version} on this machine")


async def _run(command: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(_INSTALL_SECONDS):
            output, _ = await process.communicate()
    except BaseException as error:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if isinstance(error, TimeoutError):
            raise NotInstallable(f"not installed within {_INSTALL_SECONDS} s") from None
        raise
    if process.returncode:
        lines = [line.strip() for line in output.decode(errors="replace").splitlines()]
        telling = [line for line in lines if re.match("(?i)(npm )?err", line)] or lines
        raise NotInstallable(" ".join(telling[:3])[:300])
