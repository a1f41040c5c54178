package serving

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/freshet-ml/freshet/internal/certs"
)

// loadSecurity reads certificates and tokens for the first time.
func (s *Server) loadSecurity() error {
	var tokens []Token
	if s.config.Tokens != nil {
		var err error
		if tokens, err = s.config.Tokens(); err != nil {
			return fmt.Errorf("serving.tokens: %w", err)
		}
	}
	s.tokens.Store(&tokens)
	if s.config.TLS == nil {
		return nil
	}
	var err error
	s.certs, err = certs.Follow(certs.Files{Cert: s.config.TLS.Cert, Key: s.config.TLS.Key, CA: s.config.TLS.CA}, "serving.tls")
	return err
}

// follow takes up changed certificates and tokens until ctx ends.
func (s *Server) follow(ctx context.Context) {
	tick := time.NewTicker(s.config.Reload)
	defer tick.Stop()
	for {
		s.certificateMetric()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.Reload()
		}
	}
}

// Reload reads certificates and tokens again. What cannot be read stays as it was, and the log says so, once for each
// error. Run does it every Config.Reload.
func (s *Server) Reload() {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if s.certs != nil {
		changed, err := s.certs.Reload()
		s.reloaded("certificates", changed, err)
	}
	if s.config.Tokens != nil {
		changed, err := s.reloadTokens()
		s.reloaded("tokens", changed, err)
	}
}

func (s *Server) reloadTokens() (changed bool, err error) {
	tokens, err := s.config.Tokens()
	former := *s.tokens.Load()
	switch {
	case err != nil:
		return false, err
	case slices.Equal(tokens, former):
		return false, nil
	case len(tokens) == 0: // no tokens would mean that everyone may ask
		return false, errNoTokens
	}
	s.tokens.Store(&tokens)
	return true, nil
}

// reloaded tells of a change or of a new error.
func (s *Server) reloaded(what string, changed bool, err error) {
	text := ""
	switch {
	case err != nil:
		text = err.Error()
		s.deps.Metrics.Reloads.WithLabelValues(what, "failed").Inc()
		if s.reloadError[what] != text {
			s.deps.Logger.Warn("renewal failed; the former stay in use", "what", what, "error", text)
		}
	case changed:
		s.deps.Metrics.Reloads.WithLabelValues(what, "ok").Inc()
		s.deps.Logger.Info("renewed without a restart", "what", what)
	}
	s.reloadError[what] = text
}

func (s *Server) certificateMetric() {
	if s.certs != nil {
		s.deps.Metrics.CertificateEnd.WithLabelValues().Set(float64(s.certs.Set().NotAfter.Unix()))
	}
}
