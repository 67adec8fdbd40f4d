package emamw

import (
	"errors"
	"io"
)

// limitedBody is the request's body up to a limit. It remembers that the limit
// was reached, for mcp-go reports that as a message it could not read.
type limitedBody struct {
	io.ReadCloser
	left     int64
	exceeded bool
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errBodyTooLarge
	}
	// One byte more than allowed tells a body that fits from one that does not.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		b.exceeded = true
		return 0, errBodyTooLarge
	}
	return n, err
}

var errBodyTooLarge = errors.New("emamw: the request body is larger than MaxRequestBytes")
