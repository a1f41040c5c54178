package realtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// SecureBroker is one broker with a listener for each way to log in. Alice can log in by SCRAM-SHA-256, SCRAM-SHA-512 and PLAIN,
// and anyone by OAUTHBEARER with an unsigned token (alg none) that has sub, iat and exp. Access rules are checked: who is named by none may
// do everything, so a test adds the rules that it is about; whoever comes over Plain may always do everything.
type SecureBroker struct {
	*Process
	Plain   string // no encryption, no login
	SASL    string // login without encryption
	TLS     string // encryption without login
	SASLTLS string // login over encryption
	MTLS    string // encryption with a client's certificate; the user is its distinguished name, CN=client
	// User and Password are Alice's.
	User, Password string
	Certs          *Certs
}

const mechanisms = "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER"

// StartSecureKafka starts a broker that asks for logins and certificates. Settings come last in its server.properties.
func StartSecureKafka(t testing.TB, settings ...string) *SecureBroker {
	t.Helper()
	Need(t, Kafka)
	b := &SecureBroker{User: "alice", Password: `al:ce "s3cret'%&/?#`, Certs: NewCerts(t)}
	attempts(t, func() error { return b.start(t, settings) })
	keep(t, []*Process{b.Process})
	return b
}

func (b *SecureBroker) start(t testing.TB, settings []string) error {
	dir := t.TempDir()
	store := filepath.Join(dir, "keystore.pem")
	if err := os.WriteFile(store, b.Certs.server, 0o600); err != nil {
		return fmt.Errorf("keys of the broker: %w", err)
	}
	all := append(b.settings(store), settings...)
	var format []string
	for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
		format = append(format, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", m, b.User, b.Password))
	}
	more := []listener{{"LOGIN", "SASL_PLAINTEXT", ""}, {"TLS", "SSL", ""}, {"LOGINTLS", "SASL_SSL", ""}, {"MTLS", "SSL", ""}}
	list, addrs, err := kafkaNodes(dir, logs(t), 1, all, more, format...)
	if err != nil {
		return err
	}
	b.Process = list[0]
	b.Plain, b.SASL, b.TLS, b.SASLTLS, b.MTLS = addrs[0], addrs[1], addrs[2], addrs[3], addrs[4]
	return startAll(list)
}

func (b *SecureBroker) settings(store string) []string {
	list := []string{
		"inter.broker.listener.name=PLAINTEXT",
		"ssl.keystore.type=PEM", "ssl.keystore.location=" + store,
		"ssl.truststore.type=PEM", "ssl.truststore.location=" + b.Certs.CA,
		"listener.name.mtls.ssl.client.auth=required",
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"allow.everyone.if.no.acl.found=true", "super.users=User:ANONYMOUS",
	}
	const security = "org.apache.kafka.common.security."
	quoted := strings.ReplaceAll(strings.ReplaceAll(b.Password, `\`, `\\`), `"`, `\"`)
	plain := strings.ReplaceAll(fmt.Sprintf(`user_%s="%s"`, b.User, quoted), `\`, `\\`) // the file takes one level of escapes away
	for _, l := range []string{"login", "logintls"} {
		at := "listener.name." + l + "."
		list = append(list, at+"sasl.enabled.mechanisms="+mechanisms,
			at+"scram-sha-256.sasl.jaas.config="+security+"scram.ScramLoginModule required;",
			at+"scram-sha-512.sasl.jaas.config="+security+"scram.ScramLoginModule required;",
			at+"plain.sasl.jaas.config="+security+"plain.PlainLoginModule required "+plain+";",
			at+"oauthbearer.sasl.jaas.config="+security+`oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`)
	}
	return list
}
