# The verbs of the pipeline as targets. `make help` lists them; each makes its own environment first.
MODEL ?= effb4
INPUT ?= input
RUN ?= $(MODEL)
# Several runs, and the run that a verb makes of them; some systems have a NAME of their own in the environment.
RUNS ?= $(RUN)
NAME = $(RUN)-$@
OUT ?= input/phantom
STORE ?= stores/256
PARTS ?= stores/part-0 stores/part-1
SHEETS ?= sheets
PICTURE ?= spectra.png
WHAT ?= series
SLICE ?= ID_0a1b2c3d4
EXPLAINED ?= explained.png
ANSWERS ?= $(INPUT)/stage_2_test_answers.csv
# The run behind the page of serve; @phantom ships.
PAGE_RUN ?= @phantom
# More flags for the verb, such as ARGS="--epochs 2 --size 128".
ARGS ?=
# Kaggle: the kernel of push, the name there, and DRY=1 to see what would be sent. A shell has a USER of its own, which
# is no name on Kaggle: only the one of the command line counts.
KERNEL ?=
KAGGLE_USER = $(if $(findstring command,$(origin USER)),--user $(USER))
KAGGLE_FLAGS = $(if $(filter-out 0,$(DRY)),--dry-run) $(ARGS)

PYTHON := .venv/bin/python
HEMORRHAGE := .venv/bin/hemorrhage
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-quick phantom audit headers prepare merge lr-find train predict probe series select blend calibrate studies explain submit report show score serve test-web kaggle-dataset push upload download kernels test-kernels bench bench-size bench-table bench-gpu bench-page bench-backbones realism spectra transfer saliency pictures ladder craft ship check format test test-slow clean

help: ## this list
	@echo "Intracranial hemorrhage in head CT: from DICOM to submission.csv. Not for clinical use."
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 22
	@echo "Variables: MODEL=$(MODEL) INPUT=$(INPUT) RUN=$(RUN) RUNS=$(RUNS) NAME=$(RUN)-VERB ARGS=\"more flags\""
	@echo "Each verb's flags: $(HEMORRHAGE) VERB --help"

setup: $(READY) ## make .venv with everything in it
	@echo ".venv is ready; next: make demo"

$(READY): requirements.txt pyproject.toml .ci/setup
	@.ci/setup

demo: $(READY) ## a whole competition on synthetic heads, in minutes on two cores
	@$(HEMORRHAGE) demo $(ARGS)

demo-quick: $(READY) ## the same path with fewer heads and epochs, in a minute or two
	@$(HEMORRHAGE) demo --quick

phantom: $(READY) ## write a synthetic data set into OUT (input/phantom)
	@$(HEMORRHAGE) phantom $(OUT) $(ARGS)

prepare: $(READY) ## decode INPUT once into STORE, which then stands for INPUT
	@$(HEMORRHAGE) prepare $(INPUT) --out $(STORE) $(ARGS)

merge: $(READY) ## join PARTS, made by prepare with --shard, into STORE
	@$(HEMORRHAGE) merge $(STORE) $(PARTS) $(ARGS)

audit: $(READY) ## print what the data set under INPUT holds
	@$(HEMORRHAGE) audit $(INPUT) $(ARGS)

headers: $(READY) ## print what header fields of INPUT alone would score
	@$(HEMORRHAGE) headers $(INPUT) $(ARGS)

lr-find: $(READY) ## suggest a learning rate for MODEL on INPUT, with a plot
	@$(HEMORRHAGE) lr-find $(INPUT) --model $(MODEL) $(ARGS)

train: $(READY) ## train MODEL on INPUT into submissions/RUN
	@$(HEMORRHAGE) train $(INPUT) --model $(MODEL) --run $(RUN) $(ARGS)

predict: $(READY) ## predict the held-out and test slices of INPUT with RUN
	@$(HEMORRHAGE) predict $(RUN) $(INPUT) $(ARGS)

probe: $(READY) ## quick baselines on INPUT by frozen features of RUN (or of a network of that name)
	@$(HEMORRHAGE) probe $(RUN) $(INPUT) $(ARGS)

series: $(READY) ## train a second stage on what RUNS predicted, into submissions/NAME
	@$(HEMORRHAGE) series $(RUNS) --run $(NAME) $(ARGS)

select: $(READY) ## make NAME of a part of RUN (ARGS="--fold 0 --epochs 3,4 --tta mirror")
	@$(HEMORRHAGE) select $(NAME) $(RUN) $(ARGS)

blend: $(READY) ## make NAME of RUNS (RUNS="first second")
	@$(HEMORRHAGE) blend $(NAME) $(RUNS) $(ARGS)

calibrate: $(READY) ## fit RUN's probabilities to its out-of-fold labels
	@$(HEMORRHAGE) calibrate $(RUN) $(ARGS)

explain: $(READY) ## draw where RUN saw what it answers of SLICE, an id in INPUT or a file, as EXPLAINED
	@$(HEMORRHAGE) explain $(RUN) $(INPUT) --slice $(SLICE) --out $(EXPLAINED) $(ARGS)

studies: $(READY) ## write RUN's answers for whole studies
	@$(HEMORRHAGE) studies $(RUN) $(ARGS)

submit: $(READY) ## write and check submissions/RUN/submission.csv (never uploads)
	@$(HEMORRHAGE) submit $(RUN) $(ARGS)

report: $(READY) ## write submissions/RUN/report.html, a page about RUN with slices of INPUT
	@$(HEMORRHAGE) report $(RUN) --input $(INPUT) $(ARGS)

show: $(READY) ## write a contact sheet of INPUT as PNG (WHAT=batch, series or label)
	@$(HEMORRHAGE) show $(WHAT) $(INPUT) $(ARGS)

score: $(READY) ## score RUN's submission against ANSWERS
	@$(HEMORRHAGE) score submissions/$(RUN)/submission.csv $(ANSWERS) $(ARGS)

serve: $(READY) ## serve a page where a study is dropped and read (PAGE_RUN=@phantom; research use only)
	@$(HEMORRHAGE) serve --run $(PAGE_RUN) $(ARGS)

test-web: $(READY) ## the page in a real browser, and against a PACS (Debian: chromium, orthanc, orthanc-dicomweb)
	$(PYTHON) -m pytest tests/web/check_*.py $(wildcard tests/web/browser/check_*.py)

kaggle-dataset: $(READY) ## build the folder of wheels that notebooks install from (USER=name, DRY=1)
	@$(PYTHON) -m hemorrhage.kaggle dataset $(KAGGLE_USER) $(KAGGLE_FLAGS)

push: $(READY) ## push KERNEL to Kaggle as USER, where it runs at once (DRY=1 shows what would be sent)
	@$(PYTHON) -m hemorrhage.kaggle push $(KERNEL) $(KAGGLE_USER) $(KAGGLE_FLAGS)

upload: $(READY) ## check submissions/RUN/submission.csv and upload it to Kaggle (DRY=1)
	@$(PYTHON) -m hemorrhage.kaggle upload $(RUN) $(KAGGLE_FLAGS)

download: $(READY) ## bring the competition's data into input; the disk it takes is said first (DRY=1)
	@$(PYTHON) -m hemorrhage.kaggle download $(KAGGLE_FLAGS)

kernels: $(READY) ## run the notebooks in kernels/ on synthetic heads and keep what they show
	$(PYTHON) -m tests.kernels

test-kernels: $(READY) ## run them as Kaggle does: its versions, both layouts, no network, every bad input
	$(PYTHON) -m pytest -n 2 --dist loadfile tests/kernels/test_notebooks.py tests/kernels/check_chain.py tests/kernels/check_kernels.py

bench: $(READY) ## images a second of the feed against the original's generator (PEERS=1: and MONAI's)
	$(PYTHON) -m tests.bench.feed

bench-size: $(READY) ## a store of 100,000 slices against one of 1,000, and memory over three epochs
	$(PYTHON) -m tests.bench.feed --size-check

bench-table: $(READY) ## seconds and memory of every step over the whole label table
	$(PYTHON) -m tests.bench.table

bench-gpu: $(READY) ## a training step on a GPU alone and fed from a store, over batch sizes (flags: ARGS)
	$(PYTHON) -m tests.bench.gpu $(ARGS)

bench-page: $(READY) ## seconds from files to answers on the page, and whether it answers meanwhile
	$(PYTHON) -m tests.bench.page

bench-backbones: $(READY) ## parameters, FLOPs and images a second of every network (flags: ARGS)
	$(PYTHON) -m tests.bench.backbones $(ARGS)

realism: $(READY) ## phantom slices (OUT) held against real ones (HEMORRHAGE_REAL_DATA), sheets into SHEETS
	$(PYTHON) -m tests.bench.realism $(OUT) --out $(SHEETS)

spectra: $(READY) ## HU and noise of phantom slices (OUT) beside real ones (HEMORRHAGE_REAL_DATA), as PICTURE
	$(PYTHON) -m tests.bench.spectra $(OUT) --out $(PICTURE)

transfer: $(READY) ## how well RUN, trained on phantoms, reads real slices (HEMORRHAGE_REAL_DATA)
	$(PYTHON) -m tests.bench.transfer $(RUN)

ladder: $(READY) ## what each rung gives, from the prior to the series model, on one fixed phantom set: ladder.json
	$(PYTHON) -m tests.bench.ladder $(ARGS)

craft: $(READY) ## what each value of docs/training.md does to one small network, on the store STORE
	$(PYTHON) -m tests.bench.craft $(STORE) $(ARGS)

ship: $(READY) ## put the network of RUN, trained on the phantoms in OUT, into the package as @phantom
	$(PYTHON) -m tests.bench.ship $(RUN) $(OUT) phantom

saliency: $(READY) ## maps of @phantom held against the masks of synthetic heads (OUT), beside controls: docs/saliency.md
	$(PYTHON) -m tests.bench.saliency $(OUT) $(ARGS)

pictures: $(READY) ## draw the pictures of docs/phantom.md anew
	$(PYTHON) -m tests.bench.pictures

check: $(READY) ## format, lint, types and tests
	$(PYTHON) -m ruff format --check src tests
	$(PYTHON) -m ruff check src tests
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -n auto --dist loadscope -m "not slow"

format: $(READY) ## put the code into its form
	$(PYTHON) -m ruff format src tests
	$(PYTHON) -m ruff check --fix src tests

test: $(READY) ## the tests alone
	$(PYTHON) -m pytest -n auto --dist loadscope -m "not slow"

test-slow: $(READY) ## longer looks that the tests leave out, some minutes
	$(PYTHON) -m pytest -m slow

clean: ## remove the environment and caches; data and runs stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build src/*.egg-info
