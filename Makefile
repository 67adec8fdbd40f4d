.PHONY: check test lint bench fuzz

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

fuzz:
	go test -run '^$$' -fuzz FuzzBodies -fuzztime 60s ./emamw
	go test -run '^$$' -fuzz FuzzParsePayload -fuzztime 60s ./claims
