package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/freshet-ml/freshet/internal/cli/connect"
	"github.com/freshet-ml/freshet/internal/secret"
	"github.com/freshet-ml/freshet/serving/client"
)

// target says which service a client command asks.
type target struct {
	addr      string
	token     string
	tokenFile string
	tls       connect.TLSFlags
	timeout   time.Duration
}

func (t *target) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&t.addr, "addr", "127.0.0.1:7070", "gRPC address of the service (or FRESHET_ADDR)")
	flags.StringVar(&t.token, "token", "", "bearer token (better --token-file or FRESHET_TOKEN: arguments can be seen by others)")
	flags.StringVar(&t.tokenFile, "token-file", "", "file that holds the bearer token (or FRESHET_TOKEN_FILE)")
	flags.BoolVar(&t.tls.On, "tls", false, "connect with TLS; the certificates of the system are trusted unless --ca is given")
	flags.StringVar(&t.tls.CA, "ca", "", "PEM file of the certificates that are trusted; implies --tls")
	flags.StringVar(&t.tls.Cert, "cert", "", "PEM file of the client's certificate, for servers that ask for one; implies --tls")
	flags.StringVar(&t.tls.Key, "key", "", "PEM file of the private key of --cert")
	flags.StringVar(&t.tls.ServerName, "server-name", "", "name that the server's certificate must carry (default: the host of --addr); implies --tls")
	durationFlag(flags, &t.timeout, "timeout", 5*time.Second, "how long to wait for an answer")
}

// dial connects to the service. Flags come before the environment.
func (c *cli) dial(cmd *cobra.Command, t *target) (*client.Client, error) {
	if v, ok := c.env("FRESHET_ADDR"); ok && v != "" && !cmd.Flags().Changed("addr") {
		t.addr = v
	}
	o := client.Options{Timeout: t.timeout}
	var err error
	if o.Token, err = c.bearer(cmd, t); err != nil {
		return nil, err
	}
	if o.TLS, err = connect.ClientTLS(t.tls); err != nil {
		return nil, err
	}
	if host, _, err := net.SplitHostPort(t.addr); err == nil && o.TLS == nil && o.Token != "" && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		c.note("the token goes to %s in clear text; --tls encrypts", t.addr)
	}
	return client.Dial(t.addr, o)
}

// bearer returns the token to show, empty for none: of the flags, then of the environment.
func (c *cli) bearer(cmd *cobra.Command, t *target) (string, error) {
	if cmd.Flags().Changed("token") && t.tokenFile != "" {
		return "", usagef("--token and --token-file are two tokens; give one")
	}
	token, file := t.token, t.tokenFile
	if !cmd.Flags().Changed("token") && file == "" {
		token, _ = c.env("FRESHET_TOKEN")
		if token == "" {
			file, _ = c.env("FRESHET_TOKEN_FILE")
		}
	}
	if file != "" {
		s, err := secret.FromFile(file)
		if err != nil {
			return "", fmt.Errorf("token: %w", err)
		}
		token = s.Reveal()
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", usagef("the token holds a space, a line end or a character beyond ASCII, which no header can carry")
	}
	return token, nil
}

// writeProto writes a message as JSON to stdout, with the names of the proto file.
func (c *cli) writeProto(m proto.Message) error {
	b, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return c.writeJSON(rawJSON(b))
}

// rawJSON is JSON that is written with the indentation of all other results; protojson's own varies.
type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// when writes an instant for people.
func when(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().UTC().Format("2006-01-02 15:04:05Z")
}

// lasting writes a duration for people, with two units at most.
func lasting(d *durationpb.Duration) string {
	if d == nil {
		return "-"
	}
	return span(d.AsDuration())
}

func span(d time.Duration) string {
	if d < 0 {
		return "-" + span(-d)
	}
	two := func(unit, smaller time.Duration, name, smallerName string) string {
		text := fmt.Sprintf("%d%s", d/unit, name)
		if rest := d % unit / smaller; rest > 0 {
			text += fmt.Sprintf("%d%s", rest, smallerName)
		}
		return text
	}
	switch {
	case d >= 48*time.Hour:
		return two(24*time.Hour, time.Hour, "d", "h")
	case d >= time.Hour:
		return two(time.Hour, time.Minute, "h", "m")
	case d >= time.Minute:
		return two(time.Minute, time.Second, "m", "s")
	case d >= time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d > 0:
		return "<1ms"
	}
	return "0s"
}

// assignments splits key=value arguments; both parts must be there.
func assignments(args []string) error {
	for _, a := range args {
		if name, _, ok := strings.Cut(a, "="); !ok || name == "" {
			return usagef("%q: write FIELD=VALUE", a)
		}
	}
	return nil
}
