"""The control as the page asks it: over loopback with the token, like any program of this person.

So the page can do what the commands can and nothing else, and each request has one meaning.
"""

import aiohttp
from yarl import URL

from syncd.page.asking import Json, Unanswered

_PATIENCE = aiohttp.ClientTimeout(total=120)


class Inside:
    """Fulfils `syncd.page.asking.Publisher`.  `url` is set once the control listens."""

    def __init__(self, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    async def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request; `path` is quoted already.  Unanswered, with the control's sentence, if it says no."""
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=_PATIENCE, trust_env=False)
        url = URL(self.url + path, encoded=True)
        try:
            async with self._session.request(method, url, json=body, allow_redirects=False) as answer:
                found = await answer.json(content_type=None)
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, ValueError) as problem:
            raise Unanswered("The publisher does not answer just now; try again in a moment.", 503) from problem
        if status >= 400 or not isinstance(found, dict):
            said = found.get("error") if isinstance(found, dict) else None
            raise Unanswered(str(said or f"The publisher answered {status}."), status)
        return found

    async def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            await self._session.close()
