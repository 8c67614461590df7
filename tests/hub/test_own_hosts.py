"""A hub whose services and users have hosts of their own (`subdomain_host`)."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playing import PREFIX, Service
from traitlets.config import Config

from hub_plugin import install
from hub_plugin.class_page import links_to
from hub_plugin.context import context_key
from hub_plugin.courses import read_courses
from hub_plugin.hub_address import HubAddress
from hub_plugin.redirects import git_pull_hook

COURSE = read_courses({"ds8": {"remote": "https://github.com/data-8/textbook", "branch": "main"}})[0]
HUB, OURS = "https://hub.example.edu", "https://synced-folders--service.hub.example.edu"
ENVIRONMENT = {
    "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api",
    "JUPYTERHUB_API_TOKEN": "none",
    "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
    "JUPYTERHUB_HOST": HUB,
    "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{OURS}{PREFIX}oauth_callback",
}


def test_the_hub_says_where_both_are() -> None:
    address = HubAddress.from_environment(ENVIRONMENT)
    assert (address.host, address.own_host) == (HUB, OURS)
    alone = HubAddress.from_environment(
        ENVIRONMENT | {"JUPYTERHUB_HOST": "", "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{PREFIX}oauth_callback"}
    )
    assert (alone.host, alone.own_host) == ("", "")


async def test_logging_in_and_links_lead_from_host_to_host(service: Service) -> None:
    client: Any = service.client
    context = client.app[context_key]
    known = context.hub.address
    context.hub.address = HubAddress(
        known.api_url, "none", PREFIX, "/", "service-x", known.access_scopes, host=HUB, own_host=OURS
    )
    begun = urlsplit((await client.get(PREFIX, allow_redirects=False)).headers["Location"])
    assert f"{begun.scheme}://{begun.netloc}" == HUB
    assert parse_qs(begun.query)["redirect_uri"] == [f"{OURS}{PREFIX}oauth_callback"]
    answer = await client.get("/hub/interact?repo=r&path=a&account=o", allow_redirects=False)
    assert answer.headers["Location"] == f"{OURS}{PREFIX}interact?repo=r&path=a&account=o"
    kim = {"Authorization": "token kim-token"}
    opened = await client.get(f"{PREFIX}open/ds8/a.md", headers=kim, allow_redirects=False)
    assert opened.headers["Location"] == f"{HUB}/hub/user-redirect/lab/tree/ds8/a.md"
    page = await (await client.get(f"{PREFIX}courses/ds8/", headers=kim)).text()
    assert f"{OURS}{PREFIX}open/ds8/" in page and f"{OURS}{PREFIX}webhooks/ds8" in page
    assert f"{HUB}/hub/interact?account=o" in page


def test_links_name_the_host_that_answers_them() -> None:
    texts = {link.kind: link.text for link in links_to(COURSE, "a.md", f"{HUB}/", f"{OURS}{PREFIX}")}
    assert texts["Link"] == f"{OURS}{PREFIX}open/ds8/a.md"
    assert texts["nbgitpuller"].startswith(f"{HUB}/hub/user-redirect/git-pull?")


async def test_pullers_links_are_sent_to_the_services_host() -> None:
    hook: Any = git_pull_hook((COURSE,), (), "data-8", "synced-folders", None)
    user = SimpleNamespace(settings={"services": {"synced-folders": SimpleNamespace(host=OURS)}})
    query = "repo=https://github.com/data-8/textbook&urlpath=lab"
    assert (await hook("git-pull", SimpleNamespace(query=query), user, "/")).startswith(f"{OURS}{PREFIX}git-pull?")


def test_the_route_of_interact_links_names_the_hubs_host() -> None:
    c = Config()
    c.JupyterHub.subdomain_host = f"{HUB}:8443"
    install(c, courses={"ds8": "https://x/y"})
    assert list(c.Proxy.extra_routes) == ["hub.example.edu/hub/interact/"]
