# Needs make, git and a Python of 3.11 or newer with its venv module. The rest is set up in .venv, once:
# a target that finds everything in place starts at once.

VENV := .venv
quoted = '$(subst ','\'',$(1))'
# Some tests wait for a browser or a process, so one more than there are cores keeps all of them busy.
# Each has one thread of linear algebra: with more they wait for one another.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)
PY := $(VENV)/bin/python

# What the caller's shell may hold and must not decide what is installed or imported here. Proxies, certificates and
# mirrors (PIP_INDEX_URL, PIP_CERT, ...) are left as they are.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONWARNINGS
# Images of containers are often built with it set; every process that a test starts would compile all anew.
unexport PYTHONDONTWRITEBYTECODE
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_PYTHON PIP_REQUIREMENT PIP_CONSTRAINT PIP_NO_DEPS PIP_DRY_RUN
unexport PIP_REQUIRE_VIRTUALENV PIP_NO_BINARY PIP_IGNORE_INSTALLED PIP_EDITABLE PIP_REQUIRE_HASHES PIP_PRE
unexport PYTEST_ADDOPTS PYTEST_PLUGINS MYPYPATH
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
PIP_DEFAULT_TIMEOUT ?= 60
export PIP_DEFAULT_TIMEOUT

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo test test-slow lint types format browser lock scoreboard clean ready-to-check

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed ## replay an outage live and open the dashboard; SCENARIO=, SPEED=, PORT= where wanted
	@exec $(PY) -m cli demo $(if $(SCENARIO),--scenario=$(call quoted,$(SCENARIO))) $(if $(SPEED),--speed '$(SPEED)') $(if $(PORT),--port '$(PORT)')

test: $(VENV)/.installed-dev browser ## run the tests but the slow ones; ARGS='-k signature' for some of them
	@$(PY) -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not slow' $(ARGS)

test-slow: $(VENV)/.installed-dev browser ## the rest: kills, races, random worlds, whole fleets
	@$(PY) -m pytest -q -n $(WORKERS) --dist load -m slow $(ARGS)

lint: $(VENV)/.installed-dev ## ruff's rules and format, and the direction of imports
	@failed=0; \
	$(PY) -m ruff check . || failed=1; \
	$(PY) -m ruff format --check . || failed=1; \
	$(PY) $(VENV)/bin/lint-imports || failed=1; \
	exit $$failed

types: $(VENV)/.installed-dev ## mypy on everything
	@$(PY) -m mypy .

format: $(VENV)/.installed-dev ## let ruff mend what it can
	@$(PY) -m ruff check --fix-only .
	@$(PY) -m ruff format .

lock: $(VENV)/.installed ## compile both requirements files; ARGS=--upgrade for the newest versions
	@$(PY) -m pip install -q uv
	@$(PY) -m uv pip compile -q --universal --python-version 3.11 --fork-strategy fewest \
	  --custom-compile-command 'make lock (why each direct dependency is there: pyproject.toml)' \
	  pyproject.toml -o requirements.txt $(ARGS)
	@$(PY) -m uv pip compile -q --universal --python-version 3.11 --fork-strategy fewest \
	  --custom-compile-command 'make lock (why each direct dependency is there: pyproject.toml)' \
	  --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt $(ARGS)

scoreboard: $(VENV)/.installed-dev ## play simulated fleets against other methods, write docs/scoreboard.md; ARGS='--seeds 5 --hosts 3000'
	@$(PY) -m bench.scoreboard $(ARGS)

clean: ## remove what was set up and cached; lakes stay
	@rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name .git -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

# --- setting up ---

ready-to-check: $(VENV)/.installed-dev browser

# A venv whose Python went away (an upgrade, a moved folder) is made anew.
ifneq ($(wildcard $(VENV)/.made),)
ifneq ($(shell $(PY) -c 'print("works")' 2>/dev/null),works)
.PHONY: $(VENV)/.made
endif
endif

# PYTHON=/path/to/python chooses one. Each candidate is run, not only looked up: a version manager's stub may stand for
# a Python that it does not have.
$(VENV)/.made:
	@found=; bare=; old=; \
	for python in $(if $(PYTHON),'$(PYTHON)',python3.11 python3.12 python3.13 python3.14 python3 python); do \
	  "$$python" -c '' >/dev/null 2>&1 || continue; \
	  if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then old="$$python"; continue; fi; \
	  if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then found="$$python"; break; fi; \
	  bare="$${bare:-$$python}"; \
	done; \
	if [ -z "$$found" ]; then \
	  if [ -n "$$bare" ]; then \
	    echo "$$bare has no venv or no ensurepip, which setting up needs. Nothing was changed." ; \
	    echo "On Debian and Ubuntu: apt-get install python3-venv"; \
	  elif [ -n "$$old" ]; then \
	    echo "fleetcrash needs Python 3.11 or newer; $$old is $$("$$old" -V 2>&1). Nothing was changed."; \
	    echo "If a newer one is installed elsewhere: make PYTHON=/path/to/python3"; \
	  else \
	    echo "fleetcrash needs Python 3.11 or newer; none was found. Nothing was changed."; \
	    echo "If one is installed elsewhere: make PYTHON=/path/to/python3"; \
	  fi >&2; \
	  exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$found" -V 2>&1) ($$found) ..." >&2; \
	"$$found" -m venv --clear $(VENV)
	@touch $@

# The requirements name all that is needed, so that nobody need work that out again (--no-deps). What was installed is
# compiled on all cores, which pip does on one; the packages' own tests are left out, and what cannot be compiled waits
# until somebody imports it.
define install
@$(PY) -m pip install -q --no-compile --no-deps -r $(1)
@$(PY) -m compileall -qq -j 0 -x '/tests/' $(VENV)/lib || true
endef

$(VENV)/.installed: $(VENV)/.made requirements.txt
	@echo "Installing requirements.txt (once; about half a minute) ..." >&2
	$(call install,requirements.txt)
	@touch $@

# What checks comes with what runs: requirements-dev.txt holds both.
$(VENV)/.installed-dev: $(VENV)/.made requirements.txt requirements-dev.txt
	@echo "Installing requirements-dev.txt (once; about half a minute) ..." >&2
	$(call install,requirements-dev.txt)
	@touch $(VENV)/.installed $@

# The browser tests drive the system's Chromium through Playwright, whose driver wants libatomic. Where either is missing and
# may be installed (Debian's packages; root, or sudo that asks for no password), it is; where not, the other tests run and
# the tests' summary says what did not.
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300
browser: $(VENV)/.installed-dev
	@wanted=; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || wanted=chromium; \
	$(PY) -m playwright --version >/dev/null 2>&1 || wanted="$$wanted libatomic1"; \
	if [ -z "$$wanted" ]; then exit 0; fi; \
	why=; as_root=; \
	if ! command -v apt-get >/dev/null; then why="there is no apt-get here to install it with"; \
	elif [ "$$(id -u)" -eq 0 ]; then as_root=env; \
	elif sudo -n true 2>/dev/null; then as_root="sudo -n env"; \
	else why="installing it takes root, or sudo without a password"; fi; \
	if [ -n "$$as_root" ]; then \
	  echo Installing $$wanted "for the browser tests (once) ..." >&2; \
	  log=$$(mktemp); \
	  if $$as_root $(APT) update >"$$log" 2>&1 </dev/null && $$as_root $(APT) install -y $$wanted >>"$$log" 2>&1 </dev/null; \
	  then rm -f "$$log"; exit 0; fi; \
	  tail -n 5 "$$log" >&2; rm -f "$$log"; why="apt-get could not install it"; \
	fi; \
	echo "WARNING: missing:" $$wanted "and $$why. THE BROWSER TESTS WILL NOT BE RUN." >&2
