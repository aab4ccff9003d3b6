# `make help` lists what there is. Every target builds .venv first if it has to; nothing is installed outside .venv.

.ONESHELL:
.SHELLFLAGS := -euc
.PHONY: help demo week docs notebooks test test-long test-jax test-torch kubeflow venv lock light dist clean

PYTHON ?=
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)

# TensorFlow and gRPC print pages about drivers and plugins that nobody here needs to act on.
export TF_CPP_MIN_LOG_LEVEL ?= 3
export GRPC_VERBOSITY ?= ERROR
# A module is compiled when it is first imported, which most of those in .venv never are; the result has to be kept.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

demo: venv ## run the whole pipeline on simulated logs, then serve and ask the model
	@.venv/bin/python -m pipelines

week: venv ## run seven simulated days with a server, one bad log and one bad model
	@.venv/bin/python -m pipelines.week

docs: venv ## build the documentation site in build/docs/html; a dead link or a missing docstring is an error
	@.venv/bin/python -m sphinx -W --keep-going -n -q -E -b html -d build/docs/doctrees docs build/docs/html
	echo "build/docs/html/index.html"

notebooks: venv ## run the notebooks of docs/notebooks and rewrite their outputs
	@.venv/bin/python -m tests.notebooks

test: venv ## check style, types and imports, then run all tests but the long ones
	@set -x
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-long: venv ## run the tests that take minutes each: kills, growing logs, environments of each extra
	@.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile -m long

# Layers, losses and metrics without TensorFlow; what the layers compute is compared with what TensorFlow computes.
# Most of the time on JAX is compilation of small operations, which these flags halve.
XLA_FLAGS ?= --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1
BACKEND_TESTS = tests/tfmtl/layers tests/tfmtl/ops tests/tfmtl/losses tests/tfmtl/metrics tests/benchmarks/test_layers.py

test-jax test-torch: test-%: venv ## run the tests of layers, losses and metrics on this backend; compare it with TensorFlow
	@rm -rf build/parity
	.venv/bin/uv venv --quiet --clear --python .venv/bin/python build/$*
	.venv/bin/uv pip sync --quiet --python build/$*/bin/python requirements/$*.txt
	TFMTL_PARITY_RECORD=build/parity .venv/bin/python -m pytest -q -n auto --maxprocesses 4 tests/tfmtl/layers -k contract
	export KERAS_BACKEND=$* TFMTL_PARITY_COMPARE=build/parity JAX_DISABLE_MOST_OPTIMIZATIONS=1 XLA_FLAGS="$(XLA_FLAGS)"
	build/$*/bin/python -m pytest -q -o addopts= -W ignore --import-mode=importlib -n auto --maxprocesses 4 $(BACKEND_TESTS)

kubeflow: venv ## build the image, then run the demo in containers: compiled for Kubeflow, and without rights and network
	@tests/containers/base_image.sh
	docker build $(DOCKER_OPTIONS) --target tfmtl --tag tfmtl:containers .
	TFMTL_IMAGE=tfmtl:containers .venv/bin/python -m pytest -m long tests/containers

# .venv/built-from.txt is written last, so a venv without it is not complete. It holds the lock the venv was built from:
# the venv is built anew when the lock, the Python or the folder is another.
venv: ## build .venv from the lock that fits this machine's Python and glibc
	@for any in $(PYTHONS) ''; do "$$any" -c '' > /dev/null 2>&1 && break; done
	if [ -z "$$any" ]; then echo "Python should be on the PATH. Received: no $(PYTHONS)." >&2; exit 1; fi
	chosen=$$("$$any" requirements/choose.py $(PYTHONS))
	python=$$(echo "$$chosen" | sed -n 1p)
	lock=$$(echo "$$chosen" | sed -n 2p)
	stamp=$$(echo "# $$python in $(CURDIR)"; cat "$$lock")
	if [ "$$stamp" = "$$(cat .venv/built-from.txt 2> /dev/null)" ]; then exit 0; fi
	echo "Building .venv with $$python from $$lock: about 1 GB to download, 3 GB on disk."
	rm -rf .venv
	"$$python" -m venv .venv
	.venv/bin/pip install -qq --disable-pip-version-check "$$(grep '^uv==' "$$lock")"
	export VIRTUAL_ENV="$(CURDIR)/.venv"
	{ .venv/bin/uv pip sync "$$lock" 2>&1 || touch .venv/failed; } | sed '/^ [-+~] /d'
	[ ! -e .venv/failed ]
	.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
	printf '%s\n' "$$stamp" > .venv/built-from.txt

# Pins stay as they are unless a requirement rules them out; `make lock UPGRADE=--upgrade` takes the newest of everything.
COMPILE = .venv/bin/uv pip compile --quiet --no-annotate --custom-compile-command 'make lock' --python-version 3.11 \
	pyproject.toml --extra pipeline --extra dev --overrides requirements/overrides.in $(UPGRADE)

lock: venv ## derive the locks in requirements/ from pyproject.toml and requirements/*.in
	@$(COMPILE) --python-platform x86_64-manylinux_2_28 requirements/tfx-1.16.in -o requirements/tfx-1.16.txt > /dev/null
	$(COMPILE) --universal requirements/tfx-1.21.in -o requirements/tfx-1.21.txt > /dev/null
	mkdir -p build
	grep '^keras==' requirements/tfx-1.16.txt > build/keras.txt
	for backend in jax torch; do
		.venv/bin/uv pip compile --quiet --no-annotate --custom-compile-command 'make lock' --python-version 3.11 --universal \
			--constraint build/keras.txt $(UPGRADE) \
			requirements/$$backend.in -o requirements/$$backend.txt > /dev/null
	done
	git diff --stat -- requirements

light: venv ## install the library without extras in a throw-away venv and import all of it
	@rm -rf build
	.venv/bin/uv venv --quiet --python .venv/bin/python build/light
	.venv/bin/uv pip install --quiet --python build/light/bin/python --constraints .venv/built-from.txt .
	build/light/bin/python -P tests/import_light.py tfmtl

dist: venv ## build the wheel in dist/ and, where Docker runs, the image tfmtl:VERSION
	@rm -rf dist build/lib
	version=$$(.venv/bin/python -c 'import tfmtl; print(tfmtl.__version__)')
	.venv/bin/uv build --quiet --wheel --python .venv/bin/python --no-build-isolation --out-dir dist
	ls dist/tfmtl-$$version-py3-none-any.whl
	if docker info > /dev/null 2>&1; then
		docker build $(DOCKER_OPTIONS) --target tfmtl --tag tfmtl:$$version .
	else
		echo "The image tfmtl:$$version needs a running Docker engine. Received: none." >&2
		exit 1
	fi

clean: ## remove .venv, caches and build folders; keep runs/
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
