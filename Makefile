# Two commands matter: `make demo` and `make test`.  Both prepare everything they need.
PY := .venv/bin/python
COURSE ?=
CORPUS ?=
N ?=
ARGS ?=

.PHONY: demo test test-hub check format bench-merge bench-fs bench-publish bench-class bench-arrival bench-spawn bench-reports clean

demo:
	@.ci/prepare $(if $(findstring --classic,$(ARGS)),classic,demo)
	@$(PY) -m syncd demo $(if $(COURSE),--course "$(COURSE)") $(ARGS)

# Two at a time, file by file: most tests wait for processes, mounts and browsers most of the time.
test:
	@.ci/prepare test
	@$(PY) -m pytest -q -n 2 --dist loadfile $(ARGS)

test-hub:
	@.ci/prepare test
	@$(PY) -m pytest -q tests/hub $(ARGS)

check:
	@.ci/prepare test
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) -m pytest -q -n auto -m "not slow and not loop and not fuse and not browser and not root"

bench-merge:
	@.ci/prepare test
	@$(PY) -m pip install -q --disable-pip-version-check 'nbdime>=4'
	@$(PY) -m tests.bench.bench_merge $(CORPUS) $(ARGS)

bench-fs:
	@.ci/prepare test
	@command -v fuse-overlayfs >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
		{ apt-get -qq update && apt-get -qq install -y --no-install-recommends fuse-overlayfs; } >/dev/null 2>&1 || true
	@$(PY) -m tests.bench.bench_fs $(ARGS)

bench-publish:
	@.ci/prepare test
	@$(PY) -m tests.bench.bench_publish $(ARGS)

bench-class:
	@.ci/prepare test
	@$(PY) -m pip install -q --disable-pip-version-check nbgitpuller
	@$(PY) -m tests.bench.bench_class class $(if $(N),--views $(N)) $(if $(COURSE),--course "$(COURSE)") $(ARGS)

bench-arrival:
	@.ci/prepare test
	@$(PY) -m tests.bench.bench_class arrival $(if $(N),--views $(N)) $(if $(COURSE),--course "$(COURSE)") $(ARGS)

bench-spawn:
	@.ci/prepare test
	@$(PY) -m tests.bench.bench_spawn $(ARGS)

bench-reports:
	@.ci/prepare test
	@$(PY) -m tests.bench.bench_reports $(ARGS)

format:
	@.ci/prepare test
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
