package revocation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/revocation"
)

// epoch is the clock of these tests: a second with a fraction, as real ones have.
var epoch = time.Date(2026, 11, 23, 9, 0, 0, 250_000_000, time.UTC)

func TestValidate(t *testing.T) {
	const iss = "https://as.example"
	long := strings.Repeat("x", 2049)
	later := epoch.Add(time.Hour)
	for _, tc := range []struct {
		name string
		r    revocation.Revocation
		want []string // the fields at fault; none: legal
	}{
		{"a subject", revocation.Revocation{Issuer: iss, Subject: "ada", Before: epoch, Until: later}, nil},
		{"a subject of a tenant", revocation.Revocation{Issuer: iss, Tenant: "acme", Subject: "ada", Before: epoch, Until: later}, nil},
		{"a client", revocation.Revocation{Issuer: iss, ClientID: "cli", Before: epoch, Until: later}, nil},
		{"a client of a tenant", revocation.Revocation{Issuer: iss, Tenant: "acme", ClientID: "cli", Before: epoch, Until: later}, nil},
		{"a token", revocation.Revocation{Issuer: iss, TokenID: "t1", Until: later}, nil},
		{"Until at Before", revocation.Revocation{Issuer: iss, Subject: "ada", Before: epoch, Until: epoch}, nil},
		{"longest field", revocation.Revocation{Issuer: iss, Subject: long[1:], Before: epoch, Until: later}, nil},

		{"zero", revocation.Revocation{}, []string{"Issuer:", "Subject, ClientID, TokenID:", "Before:", "Until:"}},
		{"a whole issuer", revocation.Revocation{Issuer: iss, Before: epoch, Until: later}, []string{"Subject, ClientID, TokenID:"}},
		{"a whole tenant", revocation.Revocation{Issuer: iss, Tenant: "acme", Before: epoch, Until: later}, []string{"Subject, ClientID, TokenID:"}},
		{"subject and client", revocation.Revocation{Issuer: iss, Subject: "ada", ClientID: "cli", Before: epoch, Until: later}, []string{"Subject, ClientID, TokenID:"}},
		{"subject and token", revocation.Revocation{Issuer: iss, Subject: "ada", TokenID: "t1", Until: later}, []string{"Subject, ClientID, TokenID:"}},
		{"client and token", revocation.Revocation{Issuer: iss, ClientID: "cli", TokenID: "t1", Until: later}, []string{"Subject, ClientID, TokenID:"}},
		{"token with a tenant", revocation.Revocation{Issuer: iss, Tenant: "acme", TokenID: "t1", Until: later}, []string{"Tenant:"}},
		{"token with a watermark", revocation.Revocation{Issuer: iss, TokenID: "t1", Before: epoch, Until: later}, []string{"Before:"}},
		{"no issuer", revocation.Revocation{Subject: "ada", Before: epoch, Until: later}, []string{"Issuer:"}},
		{"no Before", revocation.Revocation{Issuer: iss, Subject: "ada", Until: later}, []string{"Before:"}},
		{"no Until", revocation.Revocation{Issuer: iss, Subject: "ada", Before: epoch}, []string{"Until:"}},
		{"Until before Before", revocation.Revocation{Issuer: iss, Subject: "ada", Before: later, Until: epoch}, []string{"Until:"}},
		{"field too long", revocation.Revocation{Issuer: iss, Subject: long, Before: epoch, Until: later}, []string{"Subject:"}},
		{"not UTF-8", revocation.Revocation{Issuer: iss, ClientID: "\xff", Before: epoch, Until: later}, []string{"ClientID:"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.r.Validate()
			if len(tc.want) == 0 {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tc.want) {
				t.Errorf("%d mistakes reported, want %d:\n%v", len(lines), len(tc.want), err)
			}
			for i, line := range lines {
				if i < len(tc.want) && !strings.HasPrefix(line, "revocation: "+tc.want[i]) {
					t.Errorf("mistake %d is %q, want one of %s", i, line, tc.want[i])
				}
				if strings.Contains(line, "ada") || strings.Contains(line, "xxxx") || strings.Contains(line, "acme") {
					t.Errorf("the error quotes a value: %q", line)
				}
			}
		})
	}
}
