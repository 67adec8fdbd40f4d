package idjag

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// fetch gets a document, and how long it may be kept. Its error is errFetch, or
// errDocument when the server answered and what it said is no document.
func (d *documents) fetch(ctx context.Context, address string) (body []byte, age time.Duration, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, minDocumentAge, errDocument
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, minDocumentAge, errDocument
	}
	request.Header.Set("Accept", "application/json")
	response, err := d.clients[u.Scheme+"://"+u.Host].Do(request)
	if err != nil {
		return nil, minDocumentAge, errFetch
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode >= 500, response.StatusCode == http.StatusTooManyRequests:
		return nil, minDocumentAge, errFetch
	case response.StatusCode != http.StatusOK, !isJSON(response.Header.Get("Content-Type")):
		return nil, minDocumentAge, errDocument
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, maxDocumentBytes+1))
	if err != nil {
		return nil, minDocumentAge, errFetch
	}
	if len(body) > maxDocumentBytes {
		return nil, minDocumentAge, errDocument
	}
	return body, freshness(response.Header), nil
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}

// freshness is how long a response may be kept (RFC 9111 section 5.2.2), within
// our own bounds: a document that forbids to be kept would be fetched for every
// request, and one kept for a year could never withdraw a key.
func freshness(h http.Header) time.Duration {
	age := standardDocumentAge
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minDocumentAge
		case "max-age":
			if seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32); err == nil {
				age = time.Duration(seconds) * time.Second
			}
		}
	}
	return min(max(age, minDocumentAge), maxDocumentAge)
}
