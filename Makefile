# What a person runs here: `make run` to see it work, `make test` and `make lint` before a change is proposed.
# Each target sets up what it needs; nothing has to be installed by hand but Rust (https://rustup.rs).

.DEFAULT_GOAL := help
.PHONY: help run cluster test lint bench faults rust wasm linters clients tools redis valkey minisign pebble nginx chromium snippet

# Where everything that is built goes; the tests look for their clients there too.
target := $(or $(CARGO_TARGET_DIR),target)
node_modules := tests/clients/node_modules/.package-lock.json
snippet_modules := packages/tidegate-js/node_modules/.package-lock.json
venv := $(target)/test-clients/venv
venv_ready := $(venv)/ready
unpacked := $(target)/test-redis/valkey

help:
	@echo 'make run    build all and start the demo: a shop, the gateway, platforms to deliver to'
	@echo 'make cluster  two gateways and two workers over a Redis Cluster, any of which may be killed;'
	@echo '            with CLIENT=yes events are sent all the while, and counted'
	@echo 'make test   run every test, end-to-end tests with real clients included'
	@echo 'make lint   check format, lints and documentation'
	@echo 'make faults kill, stop and fill up everything, many times, and write docs/faults.md (a quarter of an hour)'
	@echo 'make bench  measure what an event costs, and write $(target)/bench.json; some of it: make bench PARTS="stores idle"'

# The development profile, so that it shares what is built with the tests.
run: wasm
	cargo run --locked -p tidegate-demo

# Everything is on this machine's loopback, and gone when it ends.
cluster: wasm redis
	cargo build --locked -p tidegate -p tidegate-demo
	$(target)/debug/tidegate-demo cluster --data $(target)/cluster $(if $(CLIENT),--client)

# The build comes first: the end-to-end tests start the program that it makes.
test: wasm clients tools redis valkey minisign pebble nginx chromium snippet
	cargo build --workspace --all-targets --locked
	cargo test --workspace --locked
	npm test --prefix packages/tidegate-js
	node --test --test-timeout=300000 tests/clients/browser/*.test.mjs

lint: wasm linters
	cargo fmt --all --check
	rustfmt --check --edition 2024 plugins/*/fake/*.rs
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items --locked

# Ratios, measured side by side in one run. docs/performance.md says how to read them.
bench: wasm tools redis nginx
	cargo build --release --locked -p tidegate -p tidegate-bench
	cargo build --release --locked -p tidegate-sandbox --example transform --example languages
	for language in rust javascript python; do $(target)/release/tidegate plugin build examples/$$language || exit 1; done
	$(target)/release/tidegate-bench $(PARTS)

# The long form of the fault tests, and the page that tells of them. A test that fails leaves the page as it was.
faults: wasm redis valkey
	cargo build --locked -p tidegate -p tidegate-tests
	rm -rf $(target)/faults
	mkdir -p $(target)/faults
	TIDEGATE_FAULTS=long cargo test --locked -p tidegate-queue --test sqlite_faults --test sqlite_crash >$(target)/faults/file.txt
	TIDEGATE_FAULTS=long cargo test --locked -p tidegate-tests --test crash --test faults --test cluster
	cargo run --locked -q -p tidegate-tests --bin faults-report -- $(target)/faults $(target)/faults/file.txt docs/faults.md

# Installs a program's Debian package where that is allowed: $(call install,what is missing,packages)
define install
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(2); \
	else \
		echo 'error: $(1) is missing' >&2; \
		echo 'hint: on Debian: sudo apt-get install $(2)' >&2; \
		exit 1; \
	fi
endef

rust:
	@command -v cargo >/dev/null || { \
		echo 'error: Rust is missing' >&2; \
		echo 'hint: install it from https://rustup.rs, and open a new shell' >&2; \
		exit 1; }
	@command -v cc >/dev/null || { $(call install,a C compiler,gcc libc6-dev); }

# Plugins are compiled for WebAssembly.
wasm: rust
	@[ -d "$$(rustc --print target-libdir --target wasm32-unknown-unknown)" ] || \
	{ command -v rustup >/dev/null && rustup target add wasm32-unknown-unknown; } || { \
		echo 'error: this Rust cannot compile for wasm32-unknown-unknown, and rustup is not there or could not add it' >&2; \
		echo 'hint: rustup target add wasm32-unknown-unknown, which downloads it from where Rust came from' >&2; \
		echo 'hint: without rustup, Debian has rustc-web, cargo-web and rust-web-src: they build that library with' >&2; \
		echo '      RUSTC_BOOTSTRAP=1 cargo build -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown;' >&2; \
		echo "      put its .rlib files into $$(rustc --print target-libdir --target wasm32-unknown-unknown)" >&2; \
		exit 1; }

linters: rust
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

# The clients that the tests send events with and the models that they check requests by, at the versions that
# tests/clients pins.
clients: $(node_modules) $(venv_ready)

$(node_modules): tests/clients/package.json tests/clients/package-lock.json
	@command -v npm >/dev/null || { $(call install,npm,nodejs npm); }
	npm ci --prefix tests/clients --ignore-scripts --no-audit --no-fund
	@touch $@

$(venv_ready): tests/clients/requirements.txt
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { $(call install,python3-venv,python3-venv); }
	python3 -m venv --clear $(venv)
	$(venv)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-compile \
		--requirement tests/clients/requirements.txt
	@touch $@

# The browser that the snippet is tested in.
chromium:
	@[ -x "$${CHROMIUM:-/usr/bin/chromium}" ] || { $(call install,Chromium,chromium); }

# The snippet that the gateway serves is committed; here it is held against its sources.
snippet: $(snippet_modules)
	npm run --silent --prefix packages/tidegate-js check

$(snippet_modules): packages/tidegate-js/package.json packages/tidegate-js/package-lock.json
	@command -v npm >/dev/null || { $(call install,npm,nodejs npm); }
	npm ci --prefix packages/tidegate-js --ignore-scripts --no-audit --no-fund
	@touch $@

# What the tests sign plugins with.
minisign:
	@command -v minisign >/dev/null || { $(call install,minisign,minisign); }

# The ACME server, and its DNS server, that certificates are ordered from in tests.
pebble:
	@command -v pebble >/dev/null && command -v pebble-challtestsrv >/dev/null || { $(call install,pebble,pebble); }

# The web server that stands before a gateway in path mode, and that TLS is measured beside.
nginx:
	@command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || { $(call install,nginx,nginx-light); }

# What plugins in JavaScript and Python are built with. The packages themselves, pinned in the examples' package-lock.json and
# requirements.txt, are installed by the build of a plugin, once.
tools:
	@command -v npm >/dev/null || { $(call install,npm,nodejs npm); }
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { $(call install,python3-venv,python3-venv); }

# The servers that the tests of the shared queue start and end, and what they watch them with. A server that the machine
# itself runs is not used.
redis:
	@command -v redis-server >/dev/null || { $(call install,redis-server,redis-server); }
	@command -v redis-benchmark >/dev/null || { $(call install,redis-benchmark,redis-tools); }
	@command -v strace >/dev/null || { $(call install,strace,strace); }
	@command -v openssl >/dev/null || { $(call install,openssl,openssl); }

# The same from Valkey. Debian 12 has it among its backports only: it is unpacked here, and the system stays as it is.
valkey:
	@command -v valkey-server >/dev/null || [ -e $(unpacked)/ready ] || \
	if grep -qs '^VERSION_CODENAME=bookworm$$' /etc/os-release && command -v apt-get >/dev/null; then \
		$(MAKE) --no-print-directory $(unpacked)/ready; \
	else \
		$(call install,valkey-server (7.2 or later),valkey-server); \
	fi

apt = apt-get -q -o Dir::Etc::SourceList=$(abspath $(unpacked))/sources.list -o Dir::Etc::SourceParts=- \
	-o Dir::State::Lists=$(abspath $(unpacked))/lists -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
	-o APT::Sandbox::User="$$(id -un)"

$(unpacked)/ready:
	@rm -rf $(unpacked)
	@mkdir -p $(unpacked)/lists/partial
	@echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main' \
		>$(unpacked)/sources.list
	$(apt) update
	cd $(unpacked) && $(apt) download valkey-tools valkey-server
	@for package in $(unpacked)/*.deb; do dpkg -x "$$package" $(unpacked) || exit 1; done
	@$(unpacked)/usr/bin/valkey-server --version || { \
		$(call install,a library that Valkey needs,libatomic1 libjemalloc2 liblzf1 libssl3 libsystemd0); \
		$(unpacked)/usr/bin/valkey-server --version; }
	@touch $@
