"""The tests of a source file, collected once; a child forked off them for each mutant runs those that call it.

Functions are changed in memory, by their code objects, so that nothing is imported again. What that cannot change
(constants of a module, defaults, what has run while the tests were collected) is left to a child that does import it.
"""

import contextlib
import functools
import gc
import json
import os
import resource
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import NoReturn

import pytest
from changes import Mutant

LEAST_SECONDS, PATIENCE, IDLE = 10, 5, 20
"""A child may take so many seconds of the processor, or so many times what its tests take without a change; and so
many times that by the clock.
"""
OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", "-m", "not slow and not gpu",
           "-W", "ignore::pytest.PytestAssertRewriteWarning")  # fmt: skip
SAID = {0: "survived", None: "late"}
OF_A_FUNCTION = 1
"""In co_flags, where code is not of a module or a class."""


def forked(work: Callable[[], int], seconds: float) -> int | None:
    """The exit code of `work` in a silent child: negative if it was killed, None if it took longer."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        sys.dont_write_bytecode = True
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
        _quiet_exit(work)
    until = time.monotonic() + IDLE * seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return None if code in (-signal.SIGXCPU, -signal.SIGKILL) else code
        if time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        time.sleep(0.002)


def _quiet_exit(work: Callable[[], int]) -> NoReturn:
    """Work with nothing printed, and the end of this process."""
    code = 1
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        code = work()
    finally:
        os._exit(code)


def verdicts_of(
    work: Path, source: Path, text: bytes, tests: list[list[str]], mutants: list[Mutant]
) -> Iterator[tuple[Mutant, str]]:
    """(mutant, "killed", "late", "survived" or "not called") of each; `source` lies in `work`, where this process runs.

    Raises ValueError if a test fails unchanged, or there is none.
    """
    path = work / source
    names = list(dict.fromkeys(name for group in tests for name in group))
    reading, writing = os.pipe()

    def tried(trials: Trials) -> None:
        with os.fdopen(writing, "w") as out:
            trials.measure()
            sys.dont_write_bytecode = True
            print(json.dumps([trials.failure, sum(trials.seconds.values())]), file=out, flush=True)
            for mutant in mutants if not trials.failure else ():
                changed = mutant.applied(text)
                _write(path, changed)  # for other processes of a test
                print(json.dumps(trials.verdict(text, changed)), file=out, flush=True)

    def collect() -> int:
        os.close(reading)
        plugin = Trials(path, tests, tried)
        code = pytest.main([*OPTIONS, *names], plugins=[plugin])
        return int(code)

    child = os.fork()
    if child == 0:
        _quiet_exit(collect)
    os.close(writing)
    fresh: list[Mutant] = []
    try:
        with os.fdopen(reading) as back:
            said = back.readline()
            failure, seconds = json.loads(said) if said else ("they cannot be collected", 0.0)
            if failure or not names:
                raise ValueError(f"its tests fail without a change: {failure}" if names else "no test mirrors it")
            for mutant, line in zip(mutants, back, strict=False):
                verdict = json.loads(line)
                if verdict is None:
                    fresh.append(mutant)
                else:
                    yield mutant, verdict
        for mutant in fresh:
            _write(path, mutant.applied(text))
            code = forked(lambda: int(pytest.main([*OPTIONS, "-x", *names])), _patience(seconds + 10))
            yield mutant, SAID.get(code, "killed")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        _write(path, text)


def _write(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    for kept in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        kept.unlink()  # a mutant may have the size and the second of the one before


def _patience(seconds: float) -> float:
    return max(LEAST_SECONDS, PATIENCE * seconds)


class Trials:
    """A plugin of pytest: in place of a run of the collected tests, `tried(self)` is called."""

    def __init__(self, path: Path, groups: list[list[str]], tried: Callable[["Trials"], None]) -> None:
        self._path, self._tried, self._groups = str(path), tried, groups
        self._calling: set[str] = set()
        self._of_fixtures: dict[str, set[str]] = defaultdict(set)
        self.calls: dict[str, set[str]] = {}
        """Of a test: the functions of the file that it or its fixtures call."""
        self.seconds: dict[str, float] = {}
        self.failure = ""
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def _profile(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename == self._path:
            self._calling.add(frame.f_code.co_qualname)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        before, self._calling = self._calling, set()
        try:
            return (yield)
        finally:
            self._of_fixtures[fixturedef.argname] |= self._calling
            self._calling |= before

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failure = f"{report.nodeid}\n{report.longreprtext}"

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        threading.setprofile(None)
        sys.setprofile(None)
        self.imported, self._calling = self._calling, set()
        self._items = session.items
        objects = gc.get_objects()
        self._functions = [
            one for one in objects if type(one) is FunctionType and one.__code__.co_filename == self._path
        ]
        self._caches = [one for one in objects if type(one) is functools._lru_cache_wrapper]
        self._tried(self)
        return True

    def measure(self) -> None:
        """Fills `calls` and `seconds`, or `failure` with what the first test says that fails unchanged."""
        file = Path("measured.json")

        def work() -> int:
            threading.setprofile(self._profile)
            sys.setprofile(self._profile)
            for item in self._items:
                self._forget()
                self._calling, began = set(), time.process_time()
                if self._fail([item]):
                    break
                self.calls[item.nodeid], self.seconds[item.nodeid] = self._calling, time.process_time() - began
            sys.setprofile(None)
            calls = {
                item.nodeid: sorted(
                    self.calls[item.nodeid].union(*map(self._of_fixtures.__getitem__, item.fixturenames))
                )
                for item in self._items
                if isinstance(item, pytest.Function) and item.nodeid in self.calls
            }
            file.write_text(json.dumps([calls, self.seconds, self.failure]))
            return 0

        forked(work, 3600)
        calls, self.seconds, self.failure = json.loads(file.read_text())
        self.calls = {name: set(called) for name, called in calls.items()}

    def verdict(self, source: bytes, changed: bytes) -> str | None:
        """ "killed", "late", "survived", "not called", or None: all has to be imported again."""
        codes = list(_changed_codes(compile(source, self._path, "exec"), compile(changed, self._path, "exec")))
        names = {old.co_qualname for old, _ in codes if old is not None}
        if len(names) < len(codes) or names & self.imported:
            return None
        places = [
            (function, new) for old, new in codes for function in self._functions if _same(function.__code__, old)
        ]
        if not codes or len({id(new) for _, new in places}) < len(codes):
            return None
        items = [item for item in self._items if self.calls[item.nodeid] & names]
        if not items:
            return "not called"
        items.sort(key=lambda item: (self._group(item), self.seconds[item.nodeid]))

        def work() -> int:
            self._forget()
            for function, new in places:
                function.__code__ = new
            return self._fail(items)

        seconds = sum(self.seconds[item.nodeid] for item in items)
        return SAID.get(forked(work, _patience(seconds)), "killed")

    def _forget(self) -> None:
        """What functions keep of earlier calls."""
        for kept in self._caches:
            kept.cache_clear()

    def _group(self, item: pytest.Item) -> int:
        file = item.nodeid.split("::")[0]
        return next((number for number, group in enumerate(self._groups) if file in group), len(self._groups))

    def _fail(self, items: list[pytest.Item]) -> bool:
        """Whether one of them fails; those after it are not run."""
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failure:
                return True
        return False


def _changed_codes(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType | None, CodeType]]:
    """Outermost functions that differ, before and after; None where it is no function that does."""
    if not _differs(old, new):
        return
    if old.co_flags & OF_A_FUNCTION or _own(old) != _own(new):
        yield old if old.co_flags & OF_A_FUNCTION else None, new
        return
    for before, after in zip(_inner(old), _inner(new), strict=True):
        yield from _changed_codes(before, after)


def _differs(old: CodeType, new: CodeType) -> bool:
    return _own(old) != _own(new) or any(map(_differs, _inner(old), _inner(new)))


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _own(code: CodeType) -> tuple[object, ...]:
    """What it does, but for the code within it and the places in the text."""
    constants = [repr(constant) for constant in code.co_consts if not isinstance(constant, CodeType)]
    return code.co_code, constants, code.co_names, code.co_varnames, len(_inner(code))


def _same(code: CodeType, other: CodeType | None) -> bool:
    return other is not None and code.co_qualname == other.co_qualname and not _differs(code, other)
