package idjag_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/idjag"
)

func pemOf(t *testing.T, key crypto.PrivateKey) []byte {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func TestLoadKeyFile(t *testing.T) {
	write := func(raw []byte, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(path, raw, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	ecKey, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	rsaKey := newRSAKey("").key
	for alg, key := range map[string]crypto.PrivateKey{"EdDSA": edKey, "ES384": ecKey, "ES512": p521, "RS256": rsaKey} {
		got, err := idjag.LoadKeyFile(write(pemOf(t, key), 0o600))
		if err != nil || got.Algorithm != alg || got.ID == "" || got.Signer == nil {
			t.Errorf("%s: %+v, %v", alg, got, err)
		}
		w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Keys.Current = got })
		w.granted(w.redeem(w.mint(nil)))
	}

	good := pemOf(t, edKey)
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	tests := []struct {
		name string
		raw  []byte
		mode os.FileMode
		want string
	}{
		{"others may read it", good, 0o644, "chmod 600"},
		{"the group may read it", good, 0o640, "chmod 600"},
		{"not PEM", []byte("secret material"), 0o600, "PRIVATE KEY"},
		{"another block", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("secret material")}), 0o600, "pkcs8"},
		{"two keys", append(append([]byte{}, good...), good...), 0o600, "more than one"},
		{"a broken key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret material")}), 0o600, "can sign"},
		{"a curve that no algorithm has", pemOf(t, p224), 0o600, "P-256"},
	}
	if weak != nil {
		tests = append(tests, struct {
			name string
			raw  []byte
			mode os.FileMode
			want string
		}{"a weak key", pemOf(t, weak), 0o600, "2048"})
	}
	for _, tt := range tests {
		if runtime.GOOS == "windows" && tt.mode != 0o600 {
			continue
		}
		_, err := idjag.LoadKeyFile(write(tt.raw, tt.mode))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret material") {
			t.Errorf("%s: error %v, want one that says %q", tt.name, err, tt.want)
		}
	}
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := idjag.LoadKeyFile(dir); err == nil {
		t.Error("a directory was loaded")
	}
	if _, err := idjag.LoadKeyFile(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was loaded")
	}
}
