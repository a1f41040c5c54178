package catalog_test

import (
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// A category that reaches a linear model as it is would drown every other column: it is refused, with the mend.
func TestLinearModelsRefuseCategories(t *testing.T) {
	schema := &features.Schema{Columns: []features.Column{{Name: "amount"}, {Name: "country", Kind: features.Categorical}}}
	env := models.Env{Schema: schema, Task: models.Binary}
	_, err := catalog.Build(models.Named("logistic_regression"), env)
	if err == nil || !strings.Contains(err.Error(), `column "country" is a category`) || !strings.Contains(err.Error(), "one_hot") {
		t.Errorf("got %v", err)
	}
	if _, err := catalog.Build(models.Spec{Stages: []models.Stage{{Name: "one_hot"}, {Name: "logistic_regression"}}}, env); err != nil {
		t.Errorf("behind one_hot: %v", err)
	}
}
