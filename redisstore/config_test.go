package redisstore_test

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/emamw/mcp-ema/redisstore"
)

func TestConfig(t *testing.T) {
	client := func(o redis.Options) redis.UniversalClient {
		o.Addr = "127.0.0.1:1"
		c := redis.NewClient(&o)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	inCluster := func(o redis.ClusterOptions) redis.UniversalClient {
		o.Addrs = []string{"127.0.0.1:1"}
		c := redis.NewClusterClient(&o)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	t.Cleanup(func() { _ = ring.Close() })

	const local = "127.0.0.1:6379"
	for name, c := range map[string]struct {
		config redisstore.Config
		fields []string // of the mistakes, sorted
	}{
		"zero":                      {redisstore.Config{}, []string{"Addr"}},
		"loopback":                  {redisstore.Config{Addr: local}, nil},
		"loopback by name":          {redisstore.Config{Addr: "localhost:6379"}, nil},
		"loopback IPv6":             {redisstore.Config{Addr: "[::1]:6379"}, nil},
		"another host":              {redisstore.Config{Addr: "redis.example.com:6379"}, []string{"TLS"}},
		"another host with TLS":     {redisstore.Config{Addr: "redis.example.com:6379", TLS: &tls.Config{}}, nil},
		"another host on purpose":   {redisstore.Config{Addr: "redis.example.com:6379", DangerouslyPlaintext: true}, nil},
		"URL":                       {redisstore.Config{Addr: "redis://user:hush@redis.example.com:6379"}, []string{"Addr"}},
		"no port":                   {redisstore.Config{Addr: "127.0.0.1"}, []string{"Addr"}},
		"no host":                   {redisstore.Config{Addr: ":6379"}, []string{"Addr"}},
		"port 0":                    {redisstore.Config{Addr: "127.0.0.1:0"}, []string{"Addr"}},
		"client":                    {redisstore.Config{Client: client(redis.Options{ContextTimeoutEnabled: true})}, nil},
		"client without deadlines":  {redisstore.Config{Client: client(redis.Options{})}, []string{"Client"}},
		"client and more":           {redisstore.Config{Addr: local, Client: client(redis.Options{ContextTimeoutEnabled: true})}, []string{"Client"}},
		"client and password":       {redisstore.Config{Password: "hush", Client: client(redis.Options{ContextTimeoutEnabled: true})}, []string{"Client"}},
		"cluster":                   {redisstore.Config{Client: inCluster(redis.ClusterOptions{ContextTimeoutEnabled: true})}, nil},
		"cluster without deadlines": {redisstore.Config{Client: inCluster(redis.ClusterOptions{})}, []string{"Client"}},
		"cluster of replicas":       {redisstore.Config{Client: inCluster(redis.ClusterOptions{ContextTimeoutEnabled: true, RouteRandomly: true})}, []string{"Client"}},
		"ring":                      {redisstore.Config{Client: ring}, []string{"Client"}},
		"prefix with a brace":       {redisstore.Config{Addr: local, Prefix: "{a}"}, []string{"Prefix"}},
		"prefix with a space":       {redisstore.Config{Addr: local, Prefix: "a b"}, []string{"Prefix"}},
		"prefix too long":           {redisstore.Config{Addr: local, Prefix: strings.Repeat("a", 129)}, []string{"Prefix"}},
		"longest":                   {redisstore.Config{Addr: local, Timeout: 3 * time.Second, Poll: 2 * time.Second}, nil},
		"too long together":         {redisstore.Config{Addr: local, Timeout: 3 * time.Second, Poll: 2*time.Second + 1}, []string{"Poll"}},
		"timeout too long":          {redisstore.Config{Addr: local, Timeout: time.Hour}, []string{"Poll"}},
		"timeout too short":         {redisstore.Config{Addr: local, Timeout: time.Millisecond}, []string{"Timeout"}},
		"negative":                  {redisstore.Config{Addr: local, Timeout: -1, Poll: -1, Limit: -1}, []string{"Limit", "Poll", "Timeout"}},
		"all at once":               {redisstore.Config{Prefix: " ", Timeout: -1, Poll: -1, Limit: -1}, []string{"Addr", "Limit", "Poll", "Prefix", "Timeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := redisstore.New(c.config)
			if (s == nil) != (err != nil) {
				t.Errorf("New = %v, %v", s, err)
			}
			if s != nil {
				t.Cleanup(func() { _ = s.Close() })
			}
			if got := fields(t, err); !slices.Equal(got, c.fields) {
				t.Errorf("mistakes in %v, want %v: %v", got, c.fields, err)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// fields are those of the mistakes in err, sorted.
func fields(t *testing.T, err error) (names []string) {
	t.Helper()
	if err == nil {
		return nil
	}
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		t.Fatalf("not joined: %v", err)
	}
	for _, one := range all.Unwrap() {
		var mistake *redisstore.ConfigError
		if !errors.As(one, &mistake) {
			t.Fatalf("%T: %v", one, one)
		}
		if !strings.HasPrefix(one.Error(), "redisstore: Config."+mistake.Field+" ") {
			t.Errorf("the error does not name its field: %v", one)
		}
		names = append(names, mistake.Field)
	}
	slices.Sort(names)
	return names
}
