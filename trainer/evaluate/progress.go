package evaluate

import "context"

// Standing is how far a run is.
type Standing struct {
	Reading bool  // rows are read to find types and labels: models have not seen any
	Rows    int64 // read, or evaluated; of forecasts, values that were learned
	All     int64 // of so many; 0: not known
	// Series and AllSeries are, of forecasts, those that are done and all.
	Series, AllSeries int64
	// SoFar returns the metrics of the first model, of what is scored; nil while Reading. It may be called until Progress returns.
	SoFar func() Metrics
}

// Progress is told how far a run is, from one goroutine at a time: while data is read and after each batch of rows, so that it has to decide itself how often it shows that.
type Progress func(s *Standing)

// readingEvery is how many rows are read between two reports.
const readingEvery = 4096

// pace reports how far reading is, and ends it when the run is to end.
type pace struct {
	ctx  context.Context
	told Progress
}

// row is called for each row that was read.
func (p *pace) row(rows int64) error {
	if rows%readingEvery != 0 {
		return nil
	}
	if p.told != nil {
		p.told(&Standing{Reading: true, Rows: rows})
	}
	if p.ctx == nil {
		return nil
	}
	return p.ctx.Err()
}
