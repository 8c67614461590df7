"""Telling the other replicas of the service: a webhook came, an agent reported.  By Redis where several are.

Without Redis, or while it is away, a replica acts alone: everything it was told itself it does, and what it was not
told of comes with the node's next look.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub_plugin import words
from syncd.core.errors import NeedsUser

_log = logging.getLogger("hub_plugin")
_AGAIN_S = 1.0
_PATIENCE_S = 0.5

Handler = Callable[[str], None]


class Events:
    """What happens in this process and, with Redis, in all others of the same hub."""

    def __init__(self, redis_url: str = "", hub: str = "/") -> None:
        """`hub` keeps several hubs on one Redis apart.  NeedsUser if the address is none of Redis."""
        self._handlers: dict[str, Handler] = {}
        self._channel = f"synced-folders {hub}"
        self._me = secrets.token_hex(8)
        self._redis: Redis | None = None
        self._away = False
        if redis_url:
            try:
                self._redis = Redis.from_url(
                    redis_url, socket_connect_timeout=_PATIENCE_S, socket_timeout=_PATIENCE_S, decode_responses=True
                )
            except (ValueError, RedisError) as error:
                raise NeedsUser(words.bad_redis(str(error))) from error

    def on(self, kind: str, handler: Handler) -> None:
        """Have a handler called for each event of a kind, wherever it happened."""
        self._handlers[kind] = handler

    async def tell(self, kind: str, value: str) -> None:
        """It happened here: done at once here, and told to the others."""
        self._handle(kind, value)
        if self._redis is not None:
            try:
                await self._redis.publish(self._channel, json.dumps([self._me, kind, value]))
            except (RedisError, OSError) as error:
                self._note(error)

    async def first(self, name: str, seconds: int) -> bool:
        """Whether no replica has said so of this name within that time; without Redis always."""
        if self._redis is None or self._away:
            return True
        try:
            return bool(await self._redis.set(f"{self._channel} {name}", self._me, nx=True, ex=seconds))
        except (RedisError, OSError) as error:
            self._note(error)
            return True

    async def run(self) -> None:
        """Listen to the others until cancelled; Redis may go away and come back."""
        while self._redis is not None:
            try:
                await self._listen(self._redis)
            except (RedisError, OSError) as error:
                self._note(error)
            await asyncio.sleep(_AGAIN_S)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._redis is not None:
            await self._redis.aclose()

    async def _listen(self, redis: Redis) -> None:
        async with redis.pubsub() as heard:
            await heard.subscribe(self._channel)
            while True:
                said = await heard.get_message(ignore_subscribe_messages=True, timeout=30)
                self._away = False
                if said is not None:
                    with suppress(ValueError, TypeError, NeedsUser):
                        who, kind, value = json.loads(said["data"])
                        if who != self._me:
                            self._handle(str(kind), str(value))

    def _handle(self, kind: str, value: str) -> None:
        if handler := self._handlers.get(kind):
            handler(value)

    def _note(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            _log.warning("%s (%s)", words.REDIS_AWAY, error)
