package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"unsafe"
)

var resourceURL = func() *url.URL {
	u, err := url.Parse(resource)
	must(err)
	return u
}()

// rawCrypto is the least that verifying a token can cost: the signature over its
// bytes, with everything decoded before.
func rawCrypto(f *fixture, alg string) *op {
	token := f.tokens[alg]
	dot := strings.LastIndexByte(token, '.')
	input := []byte(token[:dot])
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	must(err)
	o := &op{name: "raw " + alg}
	switch key := f.keys[alg].Key.(type) {
	case *rsa.PublicKey:
		o.do = func() {
			sum := sha256.Sum256(input)
			if alg == "PS256" {
				must(rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
				return
			}
			must(rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature))
		}
	case *ecdsa.PublicKey:
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])})
		must(err)
		o.do = func() {
			sum := sha256.Sum256(input)
			if !ecdsa.VerifyASN1(key, sum[:], der) {
				panic("bench: the ES256 signature is wrong")
			}
		}
	case ed25519.PublicKey:
		o.do = func() {
			if !ed25519.Verify(key, input, signature) {
				panic("bench: the EdDSA signature is wrong")
			}
		}
	default:
		panic(fmt.Sprintf("bench: no raw crypto for a %T", key))
	}
	return o
}

// cacheFloor is the least that recognizing a token can cost: its hash, and a
// look into a map of ten thousand.
func cacheFloor(f *fixture) *op {
	token := f.tokens["ES256"]
	known := map[[sha256.Size]byte]int{}
	for i := range 10_000 {
		known[sha256.Sum256(fmt.Append(nil, i))] = i
	}
	known[sha256.Sum256([]byte(token))] = -1
	var mu sync.RWMutex
	return &op{name: "SHA-256 + map", do: func() {
		sum := sha256.Sum256(unsafe.Slice(unsafe.StringData(token), len(token)))
		mu.RLock()
		v := known[sum]
		mu.RUnlock()
		if v != -1 {
			panic("bench: the token is not in the map")
		}
	}}
}

// staticBytes is the least that answering with a document can cost: the same
// bytes and headers, on one path.
func staticBytes(document http.Handler, path string) *op {
	w := &recorded{discard: discard{header: http.Header{}}}
	document.ServeHTTP(w, get(path))
	answer := w.body.Bytes()
	type field struct {
		name   string
		values []string
	}
	var header []field
	for name, values := range w.header {
		header = append(header, field{name, values})
	}
	return fetch("static bytes", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		for i := range header {
			h[header[i].name] = header[i].values
		}
		_, _ = w.Write(answer)
	}), path)
}

type recorded struct {
	discard
	body bytes.Buffer
}

func (w *recorded) Write(b []byte) (int, error) {
	w.body.Write(b)
	return w.discard.Write(b)
}

// fetch returns an op that gets a path from h. It uses one writer again and
// again: so short an op would else be mostly garbage collection.
func fetch(name string, h http.Handler, path string) *op {
	r, w := get(path), &discard{header: http.Header{}}
	return &op{name: name, do: func() {
		clear(w.header)
		w.status, w.bytes = 0, 0
		h.ServeHTTP(w, r)
		w.want(http.StatusOK)
	}}
}

func get(path string) *http.Request {
	return &http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: path}, Host: resourceURL.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, RequestURI: path,
	}
}

// post returns an op that sends a tools/call over a loopback connection that is
// kept alive.
func post(name, base, token string) *op {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	header := callHeader(token)
	return &op{name: name, do: func() {
		r, err := http.NewRequest(http.MethodPost, base+resourceURL.Path, bytes.NewReader(callBody))
		must(err)
		r.Header = header
		resp, err := client.Do(r)
		must(err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(err)
		must(resp.Body.Close())
		if resp.StatusCode != http.StatusOK {
			panic("bench: answered with " + resp.Status)
		}
	}}
}
