"""The settings of `c.SyncedFolders`, as jupyterhub_config.py has them."""

from traitlets import Bool, Dict, Float, List, Unicode
from traitlets.config import LoggingConfigurable


class SyncedFolders(LoggingConfigurable):
    """Settings of Synced Folders in jupyterhub_config.py; set them before `install(c)` is called."""

    courses = Dict(
        help="Name to address of the course's git repository, or to a dict with remote, and if wanted branch, folder "
        "(from the home), title, groups, staff_groups, open_to_all."
    ).tag(config=True)
    group = Unicode("course-{name}", help="The hub's group of a course's students.").tag(config=True)
    staff_group = Unicode("course-{name}-staff", help="The hub's group of a course's instructors.").tag(config=True)
    admin_groups = List(Unicode(), help="Groups who may see all courses, beside the hub's admins.").tag(config=True)
    service_name = Unicode("synced-folders", help="The pages are at /services/NAME/.").tag(config=True)
    service_url = Unicode(
        "", help="Where the service listens; by default a free port on loopback. Needed for an external service."
    ).tag(config=True)
    managed = Bool(True, help="Whether the hub starts the service; if not, something else does.").tag(config=True)
    api_token = Unicode("", help="The token of an external service, which has it as JUPYTERHUB_API_TOKEN.").tag(
        config=True
    )
    agents = Bool(
        True, help="Whether the hub starts the students' agents on this machine; off where pods have them as sidecars."
    ).tag(config=True)
    agents_socket = Unicode(
        "", help="Where `syncd agents run` listens on this node, to have it start the agents: fast, and as root alone."
    ).tag(config=True)
    node = Unicode("/var/lib/synced-folders/node.sock", help="The node's socket on this machine.").tag(config=True)
    publisher = Unicode("", help="State folder of a publisher on this machine, if instructors publish here.").tag(
        config=True
    )
    view = Unicode("", help="overlay or plain; by default the first that works.").tag(config=True)
    system_user = Unicode("{username}", help="The system account of a hub's user.").tag(config=True)
    home = Unicode(
        "", help="A person's home, with {username}, where people have no accounts and all runs as the hub's own user."
    ).tag(config=True)
    agent_state = Unicode(".local/state/synced-folders/agent", help="The agent's state, from the home.").tag(
        config=True
    )
    patience = Float(5.0, min=0.1, max=60, help="Seconds that a server's start waits for its folders at most.").tag(
        config=True
    )
    interact_links = Bool(True, help="Whether /hub/interact?repo=..&path=.. opens synced folders.").tag(config=True)
    git_pull_links = Bool(
        False, help="Whether nbgitpuller's links of our courses open synced folders instead; all others go on to it."
    ).tag(config=True)
    node_services = List(
        Unicode(), help="Services of the hub whose tokens nodes on other machines report with (POST api/v1/nodes)."
    ).tag(config=True)
    members_folder = Unicode(
        "", help="Folder of the node's lists of members (COURSE.members), to be kept as the hub's groups are."
    ).tag(config=True)
    default_account = Unicode("data-8", help="The account of a repository in an Interact link that names none.").tag(
        config=True
    )
    allowed_repositories = List(
        Unicode(), help="Repositories that a link may add, like https://github.com/OWNER/*; the host is spelled out."
    ).tag(config=True)
    db_url = Unicode("sqlite:///synced-folders.sqlite", help="The service's database (SQLAlchemy).").tag(config=True)
    redis_url = Unicode("", help="Redis, for several replicas of the service: redis:// or unix://.").tag(config=True)
    public_url = Unicode("", help="The hub's address for browsers, for links and webhooks on the pages.").tag(
        config=True
    )
