package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/freshet-ml/freshet/internal/certs"
	"github.com/freshet-ml/freshet/internal/project"
)

// tokens gets access tokens by the client credentials grant (RFC 6749, §4.4) and keeps the newest until shortly before
// it ends. It is safe for all goroutines; whoever comes while a token is fetched waits for that one.
type tokens struct {
	of     *project.OAuth
	client *http.Client

	mu  sync.Mutex
	now *oauth2.Token
}

// Fetching a token is bounded, and one is renewed so long before its end.
const (
	tokenTimeout = 10 * time.Second
	tokenMargin  = 30 * time.Second
)

func newTokens(o *project.OAuth) (*tokens, error) {
	f, err := certs.Follow(certs.Files{CA: o.CA}, "kafka.sasl.oauth")
	if err != nil {
		return nil, err
	}
	return &tokens{of: o, client: &http.Client{
		Timeout: tokenTimeout,
		// A redirect would carry the secret to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: f.Client(""), DisableKeepAlives: true,
			TLSHandshakeTimeout: tokenTimeout, MaxResponseHeaderBytes: 64 << 10,
			DialContext: (&net.Dialer{Timeout: tokenTimeout}).DialContext},
	}}, nil
}

// token returns a token that is good for a while. Errors name the endpoint and what it said, never a secret.
func (t *tokens) token(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now != nil && (t.now.Expiry.IsZero() || time.Until(t.now.Expiry) > tokenMargin) {
		return t.now.AccessToken, nil
	}
	secret, err := t.of.ClientSecret.Current()
	if err != nil {
		return "", fmt.Errorf("kafka.sasl.oauth.client_secret: %w", err)
	}
	grant := clientcredentials.Config{ClientID: t.of.ClientID, ClientSecret: secret, TokenURL: t.of.TokenURL, Scopes: t.of.Scopes}
	if t.of.Audience != "" {
		grant.EndpointParams = url.Values{"audience": {t.of.Audience}}
	}
	got, err := grant.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return "", t.refused(err)
	}
	t.now = got
	return got.AccessToken, nil
}

// refused says why there is no token, without what the endpoint wrote: it may repeat what it was sent.
func (t *tokens) refused(err error) error {
	u, parsed := url.Parse(t.of.TokenURL)
	where := "token endpoint"
	if parsed == nil {
		where += " " + u.Scheme + "://" + u.Host
	}
	var answer *oauth2.RetrieveError
	var network *url.Error
	switch {
	case errors.As(err, &answer) && grantError[answer.ErrorCode]:
		return fmt.Errorf("%s: %s (status %d)", where, answer.ErrorCode, answer.Response.StatusCode)
	case errors.As(err, &answer):
		return fmt.Errorf("%s: status %d", where, answer.Response.StatusCode)
	case errors.As(err, &network):
		return fmt.Errorf("%s: %w", where, network.Err)
	}
	return fmt.Errorf("%s: the answer holds no token", where)
}

// grantError are the errors of RFC 6749, §5.2: others could be anything.
var grantError = map[string]bool{"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
	"unsupported_grant_type": true, "invalid_scope": true, "access_denied": true, "server_error": true, "temporarily_unavailable": true}
