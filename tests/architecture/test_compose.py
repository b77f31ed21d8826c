"""The Docker stack says nothing that the sources do not know: commands, settings, files."""

import importlib.util
import os
import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.architecture.settings import environment_names
from tests.servers.process import ROOT

PROCESSES = ("api", "scheduler", "runner")
SECRETS = {"POSTGRES_PASSWORD": "x", "RABBITMQ_PASSWORD": "x", "PARAKEET_SECRET_KEYS": "x"}


@pytest.fixture(scope="module")
def stack() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def compose_available() -> bool:
    try:
        return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(
    not compose_available(), reason="no docker compose on this machine; the YAML is read by other tests"
)
def test_docker_reads_the_stack() -> None:
    subprocess.run(
        ["docker", "compose", "config", "--quiet"],
        cwd=ROOT,
        env={**os.environ, **SECRETS},
        check=True,
        capture_output=True,
    )


def test_every_process_is_a_module(stack: Any) -> None:
    commands = [service["command"] for service in stack["services"].values() if "command" in service]
    modules = [match[1] for command in commands if (match := re.fullmatch(r"python -m (\S+).*", command))]
    assert {f"services.{process}" for process in PROCESSES} <= set(modules)
    for module in modules:
        assert importlib.util.find_spec(f"{module}.__main__"), module


@pytest.mark.parametrize("process", PROCESSES)
def test_every_setting_of_a_process_exists(stack: Any, process: str) -> None:
    names = {name for name in stack["services"][process]["environment"] if name.startswith("PARAKEET_")}
    assert names <= environment_names()


def test_every_dependency_is_awaited_until_it_is_healthy(stack: Any) -> None:
    services = stack["services"]
    for name, service in services.items():
        for dependency, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in services[dependency], f"{name} waits for {dependency}"


def test_every_port_is_bound_to_the_loopback_address(stack: Any) -> None:
    ports = [port for service in stack["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_image_has_a_version(stack: Any) -> None:
    images = {service["image"] for service in stack["services"].values()} - {"parakeet"}
    assert all(re.search(r":\d", image) for image in images), images


def test_no_secret_stands_in_the_stack(stack: Any) -> None:
    required = re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text())
    assert set(required) == set(SECRETS)
    example = (ROOT / ".env.example").read_text()
    assert all(re.search(rf"^{name}=$", example, re.MULTILINE) for name in SECRETS)


def test_the_image_holds_what_it_copies() -> None:
    copied = re.findall(r"^COPY (?:--\S+ )?(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == allowed
    assert all((ROOT / path).exists() for path in copied)
