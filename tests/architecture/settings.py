"""Which settings there are, by asking the settings classes themselves."""

import importlib

from pydantic_settings import BaseSettings

from tests.servers.process import ROOT


def environment_names() -> set[str]:
    """`PARAKEET_...` of every field of every settings class."""
    names: set[str] = set()
    for path in [ROOT / "shared/settings.py", *ROOT.glob("services/*/settings.py")]:
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, BaseSettings):
                prefix = item.model_config.get("env_prefix", "")
                names |= {f"{prefix}{field}".upper() for field in item.model_fields if prefix}
    return names
