package project

import (
	"github.com/freshet-ml/freshet/models"
)

// resolve checks a pipeline against the catalogue of models.
func resolve(spec models.Spec, task models.Task) error { return nil }

func (c *checker) compiles() {}
