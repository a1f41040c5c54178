package main

import (
	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/heap"
)

// runCommands run the service, or roles of it.
func (c *cli) runCommands() []*cobra.Command {
	return grouped(groupRun, c.demo(), c.up(),
		c.role("features", "Run the sequencer and the feature units", app.ServiceOptions{Features: true, Groups: true}),
		c.role("trainer", "Run the joiners and the learners", app.ServiceOptions{Trainer: true, Groups: true}),
		c.role("serve", "Answer predictions and lookups", app.ServiceOptions{Serve: true, Groups: true}),
		c.control("freeze", "Let a model stop learning, at this place of the order"),
		c.control("thaw", "Let a frozen model learn again"))
}

func (c *cli) up() *cobra.Command {
	cmd := c.role("up", "Run a project: all roles in this process", app.ServiceOptions{Features: true, Trainer: true, Serve: true})
	cmd.Long = "Reads the project file (default: freshet.yaml) and runs sequencer, feature units, joiners, learners and server.\n" +
		"Without kafka.brokers and redis.addr it starts an embedded broker and an embedded store, on loopback only; --data keeps\n" +
		"the broker's logs in a folder. Interrupt once to drain and stop, twice to quit. FRESHET_SECRET is the key of the hashes that\n" +
		"stand for sensitive fields in dead letters; without it each process draws its own."
	return cmd
}

// role makes a command that runs some roles of a project.
func (c *cli) role(name, short string, o app.ServiceOptions) *cobra.Command {
	var data, monitor string
	var kafkaPort, redisPort int
	cmd := &cobra.Command{
		Use:   name + " [FILE]",
		Short: short,
		Args:  arguments(0, 1, "at most one project file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			prog, err := c.compiled(fileArg(args))
			if err != nil {
				return err
			}
			if len(prog.Project.Kafka.Brokers) == 0 && name != "up" {
				return usagef("%s shares its work with other processes: set kafka.brokers in %s, or run freshet up", name, fileArg(args))
			}
			if len(prog.Project.Redis.Addr) == 0 && name != "up" && name != "trainer" {
				return usagef("%s works on states that other processes share: set redis.addr in %s, or run freshet up", name, fileArg(args))
			}
			o := o
			o.DataDir, o.Build, o.Logger, o.KafkaPort, o.RedisPort = data, thisBuild().String(), c.logger(), kafkaPort, redisPort
			o.Monitor = monitor
			if address, ok := c.env("FRESHET_HTTP"); ok && monitor == "" {
				o.Monitor = address
			}
			if secret, ok := c.env("FRESHET_SECRET"); ok {
				o.Secret = []byte(secret)
			}
			heap.Ease(heap.Service)
			s, err := app.NewService(cmd.Context(), prog, o)
			if err != nil {
				return err
			}
			defer s.Close()
			if name == "up" {
				if err := s.App.EnsureSources(cmd.Context()); err != nil {
					return err
				}
			}
			c.welcome(s)
			return s.Run(cmd.Context())
		},
	}
	if name == "up" {
		cmd.Flags().StringVar(&data, "data", "", "folder for the logs of the embedded broker (default: in memory)")
		cmd.Flags().IntVar(&kafkaPort, "kafka-port", 9092, "port of the embedded broker on loopback; 0: any free one")
		cmd.Flags().IntVar(&redisPort, "redis-port", 0, "port of the embedded store on loopback; 0: any free one")
	}
	if !o.Serve {
		cmd.Long = short + ". Any number of processes share the work. --http, or FRESHET_HTTP, gives the process a port for\n" +
			"/metrics, /healthz and /readyz; an address beyond this machine needs serving.tls, tokens, or insecure: true in the project."
		cmd.Flags().StringVar(&monitor, "http", "", "address of metrics and probes, such as 127.0.0.1:7072; port 0: any free one (default: none)")
	}
	return cmd
}

// welcome says where the service is to be found.
func (c *cli) welcome(s *app.Service) {
	grpc, http := s.Addresses()
	plain, scheme := "-plaintext ", "http"
	if s.Secure() {
		plain, scheme = "", "https"
	}
	if grpc != "" {
		c.note("gRPC on %s (reflection: grpcurl %s%s list)", grpc, plain, grpc)
	}
	switch {
	case http != "" && grpc == "" && s.Watched():
		c.note("HTTP on %s://%s: /metrics, /healthz, /readyz", scheme, http)
	case http != "":
		c.note("HTTP on %s://%s: the page, /v1/models, /v1/predict, /metrics, /healthz, /readyz", scheme, http)
	}
	if s.Transport.Local {
		c.note("embedded Kafka on %s", s.Transport.Brokers[0])
	}
}
