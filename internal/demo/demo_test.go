package demo_test

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/demo"
	"github.com/freshet-ml/freshet/models/catalog"
)

func TestDemoTellsTheStory(t *testing.T) {
	days := 14
	if n, err := strconv.Atoi(os.Getenv("FLIGHTS_DAYS")); err == nil {
		days = n
	}
	s, err := demo.Run(t.Context(), demo.Options{Days: days, GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Catalog: catalog.All})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", b)
	var text strings.Builder
	if err := s.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	if s.ReplayEqual == nil || !*s.ReplayEqual {
		t.Error("folding the events again gave other hashes")
	}
	if s.Freshness.Records < 9000 || s.Freshness.Labels < 1000 {
		t.Errorf("freshness of %d records and %d labels", s.Freshness.Records, s.Freshness.Labels)
	}
	for _, name := range []string{"late", "static"} {
		if s.Models[name].Metrics["roc_auc"] < 0.5 || s.Models[name].StateSHA256 == "" {
			t.Errorf("model %s: %+v", name, s.Models[name])
		}
	}
	if s.GRPCFailures > 0 || s.GRPCAnswers == 0 {
		t.Errorf("%d predictions answered over gRPC, %d failed", s.GRPCAnswers, s.GRPCFailures)
	}
}

// A run that is shorter than its paced end begins at the steady pace.
func TestDemoOfOneDay(t *testing.T) {
	s, err := demo.Run(t.Context(), demo.Options{Days: 1, NoReplay: true, GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Catalog: catalog.All})
	if err != nil {
		t.Fatal(err)
	}
	if s.Predictions == 0 || s.EventsPerSecond <= 0 {
		t.Errorf("%d predictions, %v events a second", s.Predictions, s.EventsPerSecond)
	}
}
