package forecasts

import (
	"sync"
)

// turnstile lets blocks through in their order.
type turnstile struct {
	lock sync.Mutex
	wake *sync.Cond
	at   int
	err  error
}

// wait returns when it is the turn of block i, false if the run has failed.
func (t *turnstile) wait(i int) bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	for t.at != i && t.err == nil {
		t.wake.Wait()
	}
	return t.err == nil
}

func (t *turnstile) mine(i int) bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.at == i && t.err == nil
}

func (t *turnstile) next() {
	t.lock.Lock()
	t.at++
	t.lock.Unlock()
	t.wake.Broadcast()
}

func (t *turnstile) fail(err error) {
	t.lock.Lock()
	if t.err == nil {
		t.err = err
	}
	t.lock.Unlock()
	t.wake.Broadcast()
}

func (t *turnstile) failed() error {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.err
}
