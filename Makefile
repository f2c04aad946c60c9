# The commands of the project. `make demo` and `make test` do all the set-up on a fresh Debian 12, as root.

PYTHON ?= /usr/bin/python3
JOBS   ?= $(shell nproc)
LAB    := tests/lab/run $(PYTHON)

BUILD_PACKAGES := g++ cmake ninja-build make pkg-config ccache libboost1.81-dev libboost-program-options1.81-dev \
	libldap-dev libsqlite3-dev libsqlitecpp-dev libspdlog-dev libfmt-dev libexpected-dev nlohmann-json3-dev \
	libidn2-dev libunistring-dev libkrb5-dev libsasl2-dev libsystemd-dev libssl-dev zlib1g-dev catch2 scdoc xz-utils bzip2 zstd lz4
LAB_PACKAGES := postfix postfix-lmdb postfix-cdb postfix-sqlite samba-ad-dc samba-ad-provision samba-dsdb-modules slapd ldap-utils \
	ldb-tools krb5-user libsasl2-modules-gssapi-mit python3 python3-pytest python3-aiosmtpd iproute2 util-linux mount \
	openssl ca-certificates procps dnsmasq-base systemd-journal-remote libidn12 libgnutls-dane0 \
	libnsl2 libdb5.3 libpcre2-8-0 chromium fonts-dejavu-core prometheus python3-jsonschema sqlite3
FUZZ_PACKAGES := clang libclang-rt-dev
LINT_PACKAGES := clang clang-format clang-tidy
BENCH_PACKAGES := pflogsumm
DEB_PACKAGES := debhelper po-debconf lintian systemd
SYSTEM_PACKAGES := debootstrap systemd-container

.PHONY: all deps deps-lint deps-fuzz deps-bench deps-deb deps-system deb configure program build test test-system booted unit fuzz lab demo lint fmt asan bench clean

# One after the other: JOBS is for what they call.
.NOTPARALLEL:

all: build

# Installs what is missing. Without root it only says what is.
deps:
	@tests/install-packages $(BUILD_PACKAGES) $(LAB_PACKAGES)
	@tests/unpack-exim build/exim

deps-lint:
	@tests/install-packages $(BUILD_PACKAGES) $(LINT_PACKAGES)

deps-fuzz:
	@tests/install-packages $(FUZZ_PACKAGES)

deps-bench:
	@tests/install-packages $(BENCH_PACKAGES)

deps-deb:
	@tests/install-packages $(BUILD_PACKAGES) $(DEB_PACKAGES)

deps-system: deps-deb
	@tests/install-packages $(LAB_PACKAGES) $(SYSTEM_PACKAGES)

configure:
	@cmake --preset release > build.log 2>&1 || { cat build.log; exit 1; }; rm -f build.log

# The program alone: about 3 minutes of processor time, half of that on two cores.
program: configure
	@echo "Building the program with $(JOBS) jobs (the first time about 90 seconds on two cores)"
	@cmake --build --preset release -j $(JOBS) --target postcensus

# And what tests it.
build: program
	@echo "Building its tests (the first time about 80 seconds on two cores)"
	@cmake --build --preset release -j $(JOBS)

# The Debian package, in build-deb/.
deb: deps-deb build
	@mkdir -p build-deb
	@rm -f build-deb/*.deb
	@debian/rules clean binary > build-deb/build.log 2>&1 || { tail -n 40 build-deb/build.log; exit 1; }
	@lintian --fail-on error build-deb/postcensus_*.deb > build-deb/lintian.log || { cat build-deb/lintian.log; exit 1; }
	@ls build-deb/*.deb

# The package on a Debian of its own, booted by systemd-nspawn; as root.
test-system: deps-system deb booted

# The same, of the package that is there.
booted:
	@if [ "$$(id -u)" -ne 0 ]; then echo "SKIPPED: it makes and boots a system, which needs root"; [ "$$CI" != true ]; else \
	tests/system-image build-system build-deb/postcensus_*.deb && \
	tests/next-package build-deb/postcensus_*.deb build/postcensus_next build-system && \
	$(LAB) -m pytest -q -p no:cacheprovider tests/lab/test_system.py; fi

# The machine that is booted waits most of the time: beside the lab.
test: deps deps-system build unit fuzz deb
	@log=$$(mktemp); $(MAKE) --no-print-directory booted > $$log 2>&1 & system=$$!; \
	$(MAKE) --no-print-directory lab; lab=$$?; wait $$system; system=$$?; \
	cat $$log; rm -f $$log; exit $$((lab || system))

unit:
	ctest --preset release -j $(JOBS)

# For a minute; FUZZ_SECONDS=3600 for longer.
fuzz: deps-fuzz
	@cmake --preset fuzz > /dev/null
	@cmake --build --preset fuzz -j $(JOBS) --target dialogue_fuzz ldap_object_fuzz log_line_fuzz parsers_fuzz rotation_fuzz > build-fuzz/build.log 2>&1 || { cat build-fuzz/build.log; exit 1; }
	@tests/fuzz/run build-fuzz

# Real servers in a private network namespace; without root a visible skip (77), which is a failure in CI.
lab:
	@$(LAB) -m pytest -q -p no:cacheprovider --ignore=tests/lab/test_system.py tests/lab; status=$$?; \
	if [ $$status -eq 77 ] && [ "$$CI" != true ]; then exit 0; fi; exit $$status

# KEEP=1 leaves the lab up until Ctrl-C.
demo: deps program
	@KEEP=$(KEEP) $(LAB) tests/lab/demo.py

asan:
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS) --target unit_tests
	ctest --preset asan -j $(JOBS)

SOURCES := $(shell git ls-files -co --exclude-standard '*.cpp' '*.h' 2>/dev/null)

# Clang reads the sources in a tree of its own: it cannot use GCC's precompiled headers.
# One source a run: each folder may have a .clang-tidy of its own.
lint: deps-lint
	@cmake --preset lint > /dev/null
	clang-format --dry-run --Werror $(SOURCES)
	@printf '%s\n' $(filter src/%.cpp cmd/%.cpp,$(SOURCES)) | xargs -P $(JOBS) -n 1 clang-tidy -p build-lint --quiet 2>/dev/null

fmt:
	clang-format -i $(SOURCES)

bench: deps deps-bench build
	@cmake --build --preset release --target publish_bench
	@$(LAB) tests/bench/bench.py

clean:
	rm -rf build build-deb build-system build-asan build-fuzz build-lint
