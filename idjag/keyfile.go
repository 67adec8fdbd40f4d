package idjag

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
)

// maxKeyFileBytes is some ten times the size of the largest key in use.
const maxKeyFileBytes = 64 << 10

// LoadKeyFile reads a private key: PEM, one block "PRIVATE KEY" (PKCS #8), RSA,
// ECDSA or Ed25519. A file that others may read is refused, on systems that have
// permissions of that kind: a signing key that leaked signs in as anyone.
//
//	openssl genpkey -algorithm ED25519 -out key.pem && chmod 600 key.pem
func LoadKeyFile(path string) (SigningKey, error) {
	file, err := os.Open(path)
	if err != nil {
		return SigningKey{}, fmt.Errorf("idjag: key file: %w", err)
	}
	defer file.Close()
	// The open file is asked, not the path: what is judged is what is read.
	info, err := file.Stat()
	if err != nil {
		return SigningKey{}, fmt.Errorf("idjag: key file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return SigningKey{}, fmt.Errorf("idjag: key file: %s has mode %04o: others may read it; run chmod 600", path, info.Mode().Perm())
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxKeyFileBytes))
	if err != nil {
		return SigningKey{}, fmt.Errorf("idjag: key file: %w", err)
	}
	key, err := parseKey(raw)
	if err != nil {
		return SigningKey{}, fmt.Errorf("idjag: key file: %s %w", path, err)
	}
	return key, nil
}

// parseKey keeps the errors of crypto/x509 to itself: they may quote the key.
func parseKey(raw []byte) (SigningKey, error) {
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" {
		return SigningKey{}, errors.New(`holds no PEM block "PRIVATE KEY" (PKCS #8, not encrypted); convert other keys with openssl pkcs8 -topk8 -nocrypt`)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return SigningKey{}, errors.New("holds more than one PEM block: keep one key per file")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signer, ok := parsed.(crypto.Signer)
	if err != nil || !ok {
		return SigningKey{}, errors.New("holds no PKCS #8 key that can sign")
	}
	key, _, reason := SigningKey{Signer: signer}.complete()
	if reason != "" {
		return SigningKey{}, errors.New("holds a key that " + reason)
	}
	return key, nil
}
