# `make music` and `make test` need only python3 (3.11 or newer) and make; each may come first, and again costs nothing.
PYTHON  ?= python3
VENV    := .venv
# Windows names the folder of commands otherwise; make there comes with Git or choco.
BIN     := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP     := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# Everything in the hashed files is resolved already: pip checks hashes and decides nothing.
HASHED  := $(PIP) --no-deps --require-hashes
WORKERS ?= 2
# One arithmetic thread a test process: two processes with two threads each are slower than one.
PYTEST  := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: help music page plugin test cluster-test accept check format lock release site clean
help:
	@echo 'make music   a minute of music and its picture in out/, from the model inside the package'
	@echo 'make page    the page, in your browser: press play and it never stops'
	@echo 'make plugin  the plugin for a DAW, in ~/.vst3 and ~/.clap (docs/plugin.md)'
	@echo 'make test    install everything and run every test'
	@echo 'make cluster-test  Ray on two machines that are processes here, and an object store: installs 400 MB more'
	@echo 'make accept  every fault of the list, counted; QUICK=--quick for the part of five minutes'
	@echo 'make check   format, lint, types and the fast tests: what to run before a commit'
	@echo 'make format  let ruff format and mend what it can'
	@echo 'make lock    resolve requirements/*.txt again (needs uv)'
	@echo 'make site    the documentation as a site, in build/site'
	@echo 'make release build wheel and sdist in dist/, and check them from all sides'
	@echo 'make clean   remove the virtual environment and what the tools cached'

music: $(VENV)/.play
	@mkdir -p out
	$(BIN)/halfstep generate out/music.wav --seconds 60 --plot

page: $(VENV)/.page
	$(BIN)/halfstep serve --open

plugin:
	$(MAKE) -C plugin install

test: $(VENV)/.test
	$(PYTEST) -m 'not gpu'

cluster-test: $(VENV)/.cluster
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/cluster

accept: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python tests/acceptance/accept.py $(QUICK)

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(PYTEST) -m 'not slow and not gpu'

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo '$(PYTHON) is older than Python 3.11: name a newer one with make PYTHON=python3.11' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The package itself is installed in place, by the build tools that are pinned like all else.
$(VENV)/.play: $(VENV)/.venv requirements/build.txt requirements/play.txt pyproject.toml
	$(HASHED) -r requirements/build.txt -r requirements/play.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.page: $(VENV)/.play requirements/serve.txt
	$(HASHED) -r requirements/serve.txt
	@touch $@

# torch comes last: with its light needs in place it adds itself alone (and, where pip offers only a CUDA build, CUDA).
$(VENV)/.test: $(VENV)/.play requirements/test.txt requirements/torch.txt
	$(HASHED) -r requirements/test.txt
	$(PIP) -r requirements/torch.txt
	@touch $@

$(VENV)/.cluster: $(VENV)/.test requirements/cluster.txt
	$(HASHED) -r requirements/cluster.txt
	@touch $@

# Requirement files hold versions and hashes but no addresses, so that any mirror serves them.
COMPILE := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-annotate --custom-compile-command 'make lock'
TESTED := --extra train --extra play --extra stage --extra midi --extra serve --extra hub --extra aac --extra quality --extra baseline --extra dev
lock:
	$(COMPILE) $(TESTED) -c requirements/torch.txt --no-emit-package torch --no-emit-package libsvm-official pyproject.toml -o requirements/test.txt
	$(COMPILE) -c requirements/test.txt pyproject.toml -o requirements/play.txt
	@mkdir -p build
	sed '/^python-dateutil/,/[^\\]$$/d' requirements/test.txt > build/shared.txt  # botocore wants an older one
	$(COMPILE) --extra cluster --group store -c build/shared.txt pyproject.toml -o requirements/cluster.txt
	$(COMPILE) --extra serve -c requirements/test.txt pyproject.toml -o requirements/serve.txt
	printf 'hatchling\neditables\n' | $(COMPILE) -c requirements/test.txt - -o requirements/build.txt

site: $(VENV)/.play
	$(PIP) 'pip>=25.1'  # older ones, as Python 3.11 brings, know no groups
	$(PIP) --group docs
	@mkdir -p docs/sounds
	$(BIN)/halfstep generate docs/sounds/piano.mp3 --seconds 30 --seed 7
	$(BIN)/mkdocs build --quiet

release: $(VENV)/.test
	$(PIP) build twine
	$(BIN)/python recipes/release/release.py dist --install

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist
