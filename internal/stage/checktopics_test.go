package stage_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/stage"
)

func TestCheckTopicsMakesNone(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{NoStore: true})
	if err != nil {
		t.Fatal(err)
	}
	defer servers.Close()
	tr := stage.Transport{Brokers: servers.Brokers, Local: true}
	good := stage.TopicSpec{Name: "good", Partitions: 2, Retention: time.Hour}
	if err := stage.EnsureTopics(t.Context(), tr, good); err != nil {
		t.Fatal(err)
	}
	wide, longer := good, good
	wide.Partitions, longer.Retention = 3, 2*time.Hour
	for range 2 { // the second time the missing one is still missing
		errs, err := stage.CheckTopics(t.Context(), tr, good, stage.TopicSpec{Name: "none", Partitions: 1}, wide, longer)
		if err != nil {
			t.Fatal(err)
		}
		if errs[0] != nil || !errors.Is(errs[1], stage.ErrNoTopic) || !errors.Is(errs[2], stage.ErrReplaced) || !errors.Is(errs[3], stage.ErrSettings) ||
			!strings.Contains(errs[3].Error(), "retention.ms is 3600000, set it to 7200000") {
			t.Errorf("got %v", errs)
		}
	}
}
