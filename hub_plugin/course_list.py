"""The courses of the pages: those of the hub's settings, and those that links added, as the node knows them now."""

from collections.abc import Iterable

from hub_plugin import reports, words
from hub_plugin.courses import Course, Role, Visitor, role_in
from hub_plugin.login import NotAllowed
from hub_plugin.settings import Settings
from hub_plugin.shown import Overview
from hub_plugin.watch import Watcher


class CourseList:
    """All courses, and each for those who may see it."""

    def __init__(self, settings: Settings, watcher: Watcher) -> None:
        self._settings, self._watcher = settings, watcher
        self._of: Overview | None = None
        self._all = settings.courses

    def now(self) -> tuple[Course, ...]:
        """All of them."""
        if self._of is not self._watcher.shown:
            self._of = self._watcher.shown
            self._all = (*self._settings.courses, *_added(self._settings, self._of.added))
        return self._all

    def named(self, name: str) -> Course | None:
        """The course of this name, if there is one."""
        return next((course for course in self.now() if course.name == name), None)

    async def find(self, name: str) -> Course | None:
        """The same; one that the settings don't name is asked for at the node."""
        if all(course.name != name for course in self._settings.courses):
            await self._watcher.refresh()
        return self.named(name)

    async def of(self, name: str, visitor: Visitor, least: Role) -> Course:
        """A course that the visitor has this role in.

        NotAllowed, which does not tell whether there is such a course.
        """
        course = await self.find(name)
        if course is None or role_in(visitor, course) < least:
            raise NotAllowed(words.NOT_IN_COURSE)
        return course


def _added(settings: Settings, found: Iterable[reports.Course]) -> Iterable[Course]:
    before, _, after = settings.system_user.partition("{username}")
    known = {course.name for course in settings.courses}
    for course in found:
        if course.name not in known:
            yield Course(
                name=course.name,
                remote=course.remote,
                branch=course.branch or None,
                folder=course.name,
                title=course.name,
                staff_groups=(settings.staff_group.replace("{name}", course.name),),
                added=True,
                followers=tuple(user.removeprefix(before).removesuffix(after) for user in course.followers or ()),
            )
