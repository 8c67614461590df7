"""Where the hub and this service are, as the hub says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub_plugin import words
from syncd.core.errors import NeedsUser


@dataclass(frozen=True, slots=True)
class HubAddress:
    """What the hub tells a service of itself, by JUPYTERHUB_* in its environment."""

    api_url: str
    api_token: str
    prefix: str
    base_url: str
    client_id: str
    access_scopes: frozenset[str]
    host: str = ""
    """Where the hub is, as `https://hub.example.edu`, where services have hosts of their own (`subdomain_host`)."""
    own_host: str = ""
    """And where this service is then; '' where both are on the host that was asked."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "HubAddress":
        """NeedsUser if this was not started as a hub's service."""
        try:
            prefix = environment["JUPYTERHUB_SERVICE_PREFIX"]
            name = environment.get("JUPYTERHUB_SERVICE_NAME") or prefix.rstrip("/").rsplit("/", 1)[-1]
            said = json.loads(environment.get("JUPYTERHUB_OAUTH_ACCESS_SCOPES") or "[]")
            scopes = said or ["access:services", f"access:services!service={name}"]
            return cls(
                api_url=environment["JUPYTERHUB_API_URL"].rstrip("/"),
                api_token=environment["JUPYTERHUB_API_TOKEN"],
                prefix=prefix.rstrip("/") + "/",
                base_url=environment.get("JUPYTERHUB_BASE_URL", "/").rstrip("/") + "/",
                client_id=environment.get("JUPYTERHUB_CLIENT_ID") or f"service-{name}",
                access_scopes=frozenset(scopes),
                host=environment.get("JUPYTERHUB_HOST", ""),
                own_host=_host_of(environment.get("JUPYTERHUB_OAUTH_CALLBACK_URL", "")),
            )
        except (KeyError, ValueError) as error:
            raise NeedsUser(words.NOT_A_SERVICE) from error


def _host_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
