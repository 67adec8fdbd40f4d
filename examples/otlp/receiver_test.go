package main

import (
	"cmp"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is an OTLP/HTTP receiver on loopback that keeps what it is sent.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	spans  []span
	points []point
}

// span is what the tests want to know of a span.
type span struct {
	service, scope, name string
	id, parent, trace    string
	start                uint64
	attributes           map[string]string
}

// point is a data point of a metric.
type point struct {
	service, scope, metric string
	attributes             map[string]string
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, q *http.Request) {
		var sent collectortrace.ExportTraceServiceRequest
		if receive(t, w, q, &sent) {
			r.keepSpans(&sent)
		}
	})
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, q *http.Request) {
		var sent collectormetrics.ExportMetricsServiceRequest
		if receive(t, w, q, &sent) {
			r.keepPoints(&sent)
		}
	})
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

// receive decodes one export, and answers it with the empty message, which is
// success.
func receive(t *testing.T, w http.ResponseWriter, r *http.Request, sent proto.Message) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil || proto.Unmarshal(body, sent) != nil {
		t.Error("an export is no message of OTLP")
		http.Error(w, "malformed", http.StatusBadRequest)
		return false
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	return true
}

func (r *receiver) keepSpans(sent *collectortrace.ExportTraceServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range sent.GetResourceSpans() {
		service := texts(of.GetResource().GetAttributes())["service.name"]
		for _, by := range of.GetScopeSpans() {
			for _, s := range by.GetSpans() {
				r.spans = append(r.spans, span{
					service: service, scope: by.GetScope().GetName(), name: s.GetName(),
					id: hex.EncodeToString(s.GetSpanId()), parent: hex.EncodeToString(s.GetParentSpanId()), trace: hex.EncodeToString(s.GetTraceId()),
					start: s.GetStartTimeUnixNano(), attributes: texts(s.GetAttributes()),
				})
			}
		}
	}
}

func (r *receiver) keepPoints(sent *collectormetrics.ExportMetricsServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range sent.GetResourceMetrics() {
		service := texts(of.GetResource().GetAttributes())["service.name"]
		for _, by := range of.GetScopeMetrics() {
			for _, m := range by.GetMetrics() {
				for _, attributes := range attributesOf(m) {
					r.points = append(r.points, point{service, by.GetScope().GetName(), m.GetName(), texts(attributes)})
				}
			}
		}
	}
}

// attributesOf are those of each data point of a metric.
func attributesOf(m *metrics.Metric) (all [][]*common.KeyValue) {
	for _, p := range m.GetHistogram().GetDataPoints() {
		all = append(all, p.GetAttributes())
	}
	for _, p := range slices.Concat(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()) {
		all = append(all, p.GetAttributes())
	}
	return all
}

// texts are attributes by key, with the values of a list joined by a space.
func texts(attributes []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, kv := range attributes {
		value := kv.GetValue().GetStringValue()
		for _, element := range kv.GetValue().GetArrayValue().GetValues() {
			value = strings.TrimSpace(value + " " + element.GetStringValue())
		}
		all[kv.GetKey()] = value
	}
	return all
}

// story are the spans of a trace that have one of these names, in the order in
// which they began.
func (r *receiver) story(trace string, names ...string) (story []span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.trace == trace && slices.Contains(names, s.name) {
			story = append(story, s)
		}
	}
	slices.SortFunc(story, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	return story
}

// called are all spans of a name.
func (r *receiver) called(name string) (spans []span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.name == name {
			spans = append(spans, s)
		}
	}
	return spans
}
