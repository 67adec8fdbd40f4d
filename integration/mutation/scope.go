package main

// packages are those whose checks decide who gets in.
var packages = []string{
	"internal/challenge",
	"internal/discovery",
	"internal/jose",
	"internal/keys",
	"claims",
	"scopes",
	"revocation",
	"emamw",
	"idjag",
}

// suites are the packages whose tests may notice a mutant: each its own, and
// those of the two that put the others together.
var suites = packages

// exempt are files of those packages that measure, log or describe, and refuse
// nothing.
var exempt = []string{
	"claims/error.go",
	"emamw/alarm.go",
	"emamw/coverage.go",
	"emamw/telemetry.go",
	"idjag/audit.go",
	"idjag/mistakes.go",
	"idjag/page.go",
	"internal/challenge/parse.go", // for tests
	"internal/discovery/error.go",
	"internal/keys/cause.go",
	"internal/keys/report.go",
	"internal/keys/wait.go",
}
