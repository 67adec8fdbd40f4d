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

// exempt are files of those packages that measure, log, fetch, write or describe,
// and refuse nobody.
var exempt = []string{
	"claims/error.go",
	"emamw/alarm.go",
	"emamw/answer.go",
	"emamw/config.go",
	"emamw/coverage.go",
	"emamw/glance.go",
	"emamw/guard.go",
	"emamw/issuer.go",
	"emamw/metadata.go",
	"emamw/telemetry.go",
	"idjag/audit.go",
	"idjag/config.go",
	"idjag/cors.go",
	"idjag/metadata.go",
	"idjag/mistakes.go",
	"idjag/page.go",
	"idjag/policyjson.go",
	"idjag/respond.go",
	"idjag/server.go",
	"internal/challenge/parse.go", // for tests
	"internal/discovery/error.go",
	"internal/keys/cause.go",
	"internal/keys/config.go",
	"internal/keys/keeper.go",
	"internal/keys/publish.go",
	"internal/keys/report.go",
	"internal/keys/wait.go",
}

// elsewhere are functions whose checks refuse for a reason that stands in another
// one: the caller of theirs that knows what their error means.
var elsewhere = map[string]string{
	"idjag documents.fetch": "ClientLookupFailed",
}
