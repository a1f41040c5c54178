package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/freshet-ml/freshet/datasets/flights"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

// maxQuestions bounds the distinct questions that are kept in memory.
const maxQuestions = 1_000_000

// questions makes the requests of bench predict and bench stream: each distinct row once, dealt to requests of --rows.
func (f *benchFlags) questions(ctx context.Context, cl *client.Client, args []string) ([]*freshetv1.PredictRequest, error) {
	model, list := "late", [][]string(nil)
	switch {
	case len(args) > 0:
		model, list = args[0], alternatives(args[1:], f.entities)
	case f.by != "vector":
		var err error
		if list, err = lastFlights(); err != nil {
			return nil, err
		}
	}
	about, err := cl.GetModel(ctx, &freshetv1.GetModelRequest{Name: model})
	if err != nil {
		return nil, err
	}
	var rows []*freshetv1.Row
	if f.by == "vector" {
		if len(args) > 1 {
			return nil, usagef("--by vector sends whole vectors: leave the fields out")
		}
		rows = vectors(len(about.GetColumns()))
	}
	for _, q := range list {
		if f.by == "vector" {
			break
		}
		row := &freshetv1.Row{}
		if row.Fields, err = client.ParseFields(about.GetFields(), q); err != nil {
			return nil, usagef("model %s: %w", model, err)
		}
		rows = append(rows, row)
	}
	requests := make([]*freshetv1.PredictRequest, (len(rows)+f.rows-1)/f.rows)
	for i := range requests {
		req := &freshetv1.PredictRequest{Model: model, AllowStale: true}
		for k := range f.rows {
			req.Rows = append(req.Rows, rows[(i*f.rows+k)%len(rows)])
		}
		requests[i] = req
	}
	return requests, nil
}

// vectors are a hundred rows of so many numbers.
func vectors(columns int) []*freshetv1.Row {
	rows := make([]*freshetv1.Row, 100)
	for i := range rows {
		row := &freshetv1.Row{Vector: make([]float64, columns)}
		for c := range row.Vector {
			row.Vector[c] = float64((7*i+3*c)%100) / 10
		}
		rows[i] = row
	}
	return rows
}

func (f *benchFlags) predictCalls(ctx context.Context, clients []*client.Client, args []string) (*caller, error) {
	requests, err := f.questions(ctx, clients[0], args)
	if err != nil {
		return nil, err
	}
	return &caller{stop: func() {}, call: func(ctx context.Context, n int) error {
		_, err := clients[n%len(clients)].Predict(ctx, requests[n%len(requests)])
		return err
	}}, nil
}

func (f *benchFlags) lookupCalls(ctx context.Context, clients []*client.Client, args []string) (*caller, error) {
	if len(args) == 0 {
		args = []string{"origin", "origin=EWR|JFK|LGA"}
	}
	what := args[0]
	if !strings.Contains(what, ".") {
		what += ".*"
	}
	kinds, err := keyKinds(ctx, clients[0])
	if err != nil {
		return nil, err
	}
	var rows []*freshetv1.EntityRow
	for _, q := range alternatives(args[1:], f.entities) {
		keys := map[string]*freshetv1.Value{}
		for _, a := range q {
			name, text, _ := strings.Cut(a, "=")
			if keys[name], err = client.Parse(kinds.of(name), text); err != nil {
				return nil, usagef("key %s: %w", name, err)
			}
		}
		rows = append(rows, &freshetv1.EntityRow{Keys: keys})
	}
	requests := make([]*freshetv1.GetFeaturesRequest, (len(rows)+f.rows-1)/f.rows)
	for i := range requests {
		req := &freshetv1.GetFeaturesRequest{Features: []string{what}, AllowStale: true}
		for k := range f.rows {
			req.Rows = append(req.Rows, rows[(i*f.rows+k)%len(rows)])
		}
		requests[i] = req
	}
	return &caller{stop: func() {}, call: func(ctx context.Context, n int) error {
		_, err := clients[n%len(clients)].GetFeatures(ctx, requests[n%len(requests)])
		return err
	}}, nil
}

// openStream is one stream of predictions. Answers come in the order of the requests.
type openStream struct {
	stream freshetv1.Freshet_PredictStreamClient
	mu     sync.Mutex // sends, and the order of waiting
	next   uint64
	wait   map[uint64]chan error
	err    error // why the stream ended
}

func (f *benchFlags) streamCalls(ctx context.Context, clients []*client.Client, args []string) (*caller, error) {
	requests, err := f.questions(ctx, clients[0], args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	stop := func() { cancel(); reading.Wait() }
	streams := make([]*openStream, len(clients))
	for i, cl := range clients {
		s, err := cl.PredictStream(ctx)
		if err != nil {
			stop()
			return nil, err
		}
		streams[i] = &openStream{stream: s, wait: map[uint64]chan error{}}
		reading.Go(streams[i].read)
	}
	return &caller{stop: stop, call: func(ctx context.Context, n int) error {
		return streams[n%len(streams)].ask(ctx, requests[n%len(requests)], f.timeout)
	}}, nil
}

// read hands the answers to those who wait for them until the stream ends.
func (s *openStream) read() {
	for {
		got, err := s.stream.Recv()
		s.mu.Lock()
		if err != nil {
			s.err = err
			for _, w := range s.wait {
				w <- err
			}
			clear(s.wait)
			s.mu.Unlock()
			return
		}
		w := s.wait[got.GetSequence()]
		delete(s.wait, got.GetSequence())
		s.mu.Unlock()
		if w == nil {
			continue // it has given up
		}
		if e := got.GetError(); e != nil {
			w <- status.Error(codeNamed(e.GetCode()), e.GetMessage())
		} else {
			w <- nil
		}
	}
}

// ask sends a request and waits for its answer.
func (s *openStream) ask(ctx context.Context, req *freshetv1.PredictRequest, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answered := make(chan error, 1)
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return s.err
	}
	s.next++
	id := s.next
	s.wait[id] = answered
	err := s.stream.Send(&freshetv1.PredictStreamRequest{Sequence: id, Request: req})
	if err != nil {
		delete(s.wait, id)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		s.mu.Lock()
		delete(s.wait, id)
		s.mu.Unlock()
		return status.FromContextError(ctx.Err()).Err()
	}
}

// codeNamed is the code that a service calls by that name, such as RESOURCE_EXHAUSTED.
func codeNamed(name string) codes.Code {
	var c codes.Code
	if c.UnmarshalJSON([]byte(strconv.Quote(name))) != nil {
		return codes.Unknown
	}
	return c
}

// alternatives returns as many lists of assignments as the field with the most values has; the others take
// theirs in turn. {} in a value stands for the numbers 0 to entities − 1.
func alternatives(args []string, entities int) [][]string {
	most := 1
	values := make([][]string, len(args))
	for i, a := range args {
		_, text, _ := strings.Cut(a, "=")
		values[i] = strings.Split(text, "|")
		most = max(most, len(values[i]))
		if strings.Contains(text, "{}") {
			most = max(most, entities)
		}
	}
	out := make([][]string, min(most, maxQuestions))
	for n := range out {
		for i, a := range args {
			name, _, _ := strings.Cut(a, "=")
			out[n] = append(out[n], name+"="+strings.ReplaceAll(values[i][n%len(values[i])], "{}", strconv.Itoa(n%entities)))
		}
	}
	return out
}

// lastFlights are the flights that were announced on the last day of the demo, as the fields of a question.
func lastFlights() ([][]string, error) {
	s, err := flights.Open(flights.End.AddDate(0, 0, -2), flights.End)
	if err != nil {
		return nil, err
	}
	var out [][]string
	for {
		r, ok := s.Next()
		if !ok {
			return out, nil
		}
		if r.Source != "scheduled" {
			continue
		}
		fields := map[string]any{}
		d := json.NewDecoder(bytes.NewReader(r.Value))
		d.UseNumber()
		if err := d.Decode(&fields); err != nil {
			return nil, fmt.Errorf("flight %s: %w", r.Key, err)
		}
		delete(fields, "id")
		delete(fields, "at")
		var q []string
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			q = append(q, fmt.Sprintf("%s=%v", name, fields[name]))
		}
		out = append(out, q)
	}
}
