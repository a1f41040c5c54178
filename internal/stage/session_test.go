package stage_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/freshet-ml/freshet/internal/stage"
)

// Trying again does not make the brokers allow a session timeout.
func TestSessionTimeoutThatIsNotAllowedIsFinal(t *testing.T) {
	err := stage.Explain(kerr.InvalidSessionTimeout)
	if !stage.Final(err) || !strings.Contains(err.Error(), "kafka.session") {
		t.Errorf("final: %t, %v", stage.Final(err), err)
	}
}
