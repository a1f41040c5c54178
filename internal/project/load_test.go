package project

import "testing"

func TestX(t *testing.T) {
	p, err := Load("/tmp/f.yaml", nil)
	t.Logf("%v\n%+v", err, p)
}
