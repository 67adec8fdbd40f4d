package idjag

import (
	"encoding/base64"
	"net/url"
	"slices"
	"testing"
)

// FuzzForm holds our reader against net/url: where both read a body they agree,
// and what net/url reads without a repeated name is read here, too.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"", "a=b", "a=b&c=d", "a=b&a=c", "a=&a=", "resource=x&resource=y", "a=%zz", "a=%ff", "a=b;c=d", "&&a=b&", "=x", "a+b=c+d", "a=%00",
		"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&code=&assertion=x.y.z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		ours, err := parseForm(body)
		theirs, theirErr := url.ParseQuery(body)
		if err == nil {
			if theirErr != nil {
				t.Fatalf("%q is read here, and net/url says %v", body, theirErr)
			}
			for name, values := range theirs {
				if name == "resource" {
					values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
					if !slices.Equal(values, ours.resources) {
						t.Fatalf("%q: resource %q, net/url has %q", body, ours.resources, values)
					}
					continue
				}
				if len(values) != 1 || values[0] != ours.value(name) {
					t.Fatalf("%q: %q is %q, net/url has %q", body, name, ours.value(name), values)
				}
			}
			return
		}
		if theirErr != nil {
			return
		}
		for name, values := range theirs {
			if name != "resource" && len(values) > 1 {
				return
			}
			for _, text := range append([]string{name}, values...) {
				if _, err := formText(url.QueryEscape(text)); err != nil {
					return // not text
				}
			}
		}
		t.Fatalf("%q is refused here, and net/url reads %v", body, theirs)
	})
}

// FuzzBasic checks that a pair which was encoded, in either way, is among the
// readings of the header.
func FuzzBasic(f *testing.F) {
	f.Add("client", "secret")
	f.Add("https://client.example.com:8443/c", "a:b+c%41")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, id, secret string) {
		want := credential{id: id, secret: secret}
		for _, header := range []string{basicHeader(url.QueryEscape(id), url.QueryEscape(secret)), basicHeader(id, secret)} {
			readings, ok := readBasic(header)
			if ok && !slices.Contains(readings, want) {
				t.Errorf("%q of %q is not among the readings %q", header, want, readings)
			}
		}
		if readings, ok := readBasic(id); ok && len(readings) == 0 {
			t.Error("read, and nothing in it")
		}
	})
}

func basicHeader(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}
