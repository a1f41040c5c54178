// Command tools checks what deploy holds, where neither a Docker engine nor a cluster is to be had:
//
//	tools compose FILE       loads a compose file as Compose does: schema, interpolation, references
//	tools manifests FILE     decodes Kubernetes manifests strictly into the API's types, and checks what they refer to
//	tools kustomize FOLDER   prints what a kustomization builds
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: tools compose|manifests|kustomize PATH")
	}
	switch args[0] {
	case "compose":
		return compose(args[1])
	case "manifests":
		return manifests(args[1])
	case "kustomize":
		return kustomize(args[1])
	}
	return fmt.Errorf("there is no %s", args[0])
}

// compose loads a project, and sees that what is mounted into containers is there.
func compose(file string) error {
	o, err := cli.NewProjectOptions([]string{file}, cli.WithResolvedPaths(true))
	if err != nil {
		return err
	}
	p, err := o.LoadProject(context.Background())
	if err != nil {
		return err
	}
	var errs []error
	for name, s := range p.Services {
		for _, v := range s.Volumes {
			if v.Type == "bind" {
				if _, err := os.Stat(v.Source); err != nil {
					errs = append(errs, fmt.Errorf("service %s: %w", name, err))
				}
			}
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				errs = append(errs, fmt.Errorf("service %s publishes port %s on %q, not on loopback alone", name, port.Published, port.HostIP))
			}
		}
	}
	fmt.Printf("%s: %d services\n", file, len(p.Services))
	return errors.Join(errs...)
}

func kustomize(folder string) error {
	out, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return err
	}
	b, err := out.AsYaml()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(b)
	return err
}
