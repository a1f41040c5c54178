package main

import (
	"strings"

	"github.com/freshet-ml/freshet/internal/produce"
	"github.com/freshet-ml/freshet/internal/project"
)

// parseFiles reads arguments such as departed=departed.csv.gz.
func parseFiles(args []string, inputs []*project.Source) ([]produce.File, error) {
	var known []string
	for _, in := range inputs {
		known = append(known, in.Name)
	}
	var files []produce.File
	for _, a := range args {
		name, path, ok := strings.Cut(a, "=")
		if !ok || path == "" {
			return nil, usagef("%q: write SOURCE=FILE, such as %s=%s.csv", a, known[0], known[0])
		}
		found := false
		for _, k := range known {
			found = found || k == name
		}
		if !found {
			return nil, usagef("%q: the project has no source or table %q%s", a, name, didYouMean(name, known))
		}
		files = append(files, produce.File{Source: name, Path: path})
	}
	return files, nil
}
