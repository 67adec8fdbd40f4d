.PHONY: check test lint bench soak fuzz mutation mutants

# What the continuous integration runs.
check:
	bash .ci/run

test:
	go test -race -shuffle=on ./...

lint:
	go run $(shell cat .ci/linter) run ./...

# Ratios to raw cryptography and to peers, in one process.
bench:
	cd integration && go run ./bench

# An hour of traffic while everything fails in turn. It needs redis-server.
soak:
	cd integration && SOAK=1h REDIS_REQUIRED=1 go test -count=1 -timeout 2h -v -run TestSoak ./soak

# Each fuzz target for a while. Making an input that was found shorter would take
# the whole while for itself, so it gets few tries.
FUZZTIME = 60s
fuzz:
	grep -ro '^func Fuzz[A-Za-z0-9]*' --include='*_test.go' --exclude-dir=integration . | sed 's|/[^/]*:func | |' | \
	while read -r dir target; do go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$dir || exit 1; done

# Takes each security check out in turn: a named test must notice. After a check
# was added or changed, "make mutants" finds the tests for it.
mutation:
	cd integration && go run ./mutation

mutants:
	cd integration && go run ./mutation -discover
