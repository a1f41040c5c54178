package project

import (
	"errors"
	"fmt"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/drift"
)

// Detector resolves what watches the losses. The error, if any, is models.SpecErrors.
func (d *Drift) Detector() (*models.Plan, error) {
	loss := d.Loss
	if loss == nil {
		loss = drift.ADWINComponent.Name
	}
	return catalog.All.ResolvePart(loss, models.DetectorKind)
}

// Fingerprint names the detector with all its parameters; "" for the default, and for one that does not resolve.
func (d *Drift) Fingerprint() string {
	plan, err := d.Detector()
	if err != nil {
		return ""
	}
	usual, err := (&Drift{}).Detector()
	if text := plan.Canonical(); err != nil || text != usual.Canonical() {
		return text
	}
	return ""
}

// drift checks the detector, and that every model has what it counts.
func (c *checker) drift() {
	plan, err := c.p.Drift.Detector()
	var errs models.SpecErrors
	switch {
	case errors.As(err, &errs):
		c.specErrors(errs, "drift.loss", "drift.loss")
		return
	case err != nil:
		c.bad("drift.loss", err.Error(), "", "")
		return
	case plan == nil:
		c.bad("drift.loss", "no detector stands here", "name one, such as adwin", "")
		return
	}
	if !drift.OnErrors(plan.Name()) {
		return
	}
	for i := range c.p.Models {
		if m := &c.p.Models[i]; m.Task != 0 && m.Task != models.Binary && m.Task != models.Multiclass {
			c.bad("drift.loss", fmt.Sprintf("%s counts errors of classifiers, and model %s is %s", plan.Name(), m.Name, m.Task), "use adwin, page_hinkley, cusum or kswin", "")
			return
		}
	}
}
