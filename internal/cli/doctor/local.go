package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/freshet-ml/freshet/internal/cli/connect"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

// Clock skew: beyond the first a live source looks out of order, beyond the second events are refused.
const (
	skewWarn = time.Second
	skewFail = time.Minute
)

// redis checks the store, and whether its clock agrees with ours.
func (d *doctor) redis(ctx context.Context) {
	store, err := connect.Store(&d.Program.Project.Redis)
	switch {
	case errors.Is(err, connect.ErrEmbedded):
		d.ok("store", "embedded in the process that runs the project")
		return
	case err != nil:
		d.fail("store", err.Error(), "correct the section redis: of the project file")
		return
	}
	defer store.Close()
	name := "store " + strings.Join(d.Program.Project.Redis.Addr, ", ")
	ctx, cancel := d.asking(ctx)
	defer cancel()
	if err := store.Check(ctx); err != nil {
		d.fail(name, err.Error(), "check redis.addr, redis.user and redis.tls; maxmemory-policy must be noeviction")
		return
	}
	d.ok(name, "reachable, evicts nothing")
	d.nodes(ctx, store)
	before := d.Now()
	theirs, err := store.Clock(ctx)
	after := d.Now()
	if err != nil {
		d.warn("clock", err.Error(), "allow the command TIME, or compare the clocks by hand")
		return
	}
	// Their clock was read between our two readings.
	skew := max(before.Sub(theirs), theirs.Sub(after), 0)
	found := fmt.Sprintf("the store's differs by %s", skew.Round(time.Millisecond))
	switch {
	case skew > skewFail:
		d.fail("clock", found, "synchronise the clocks of the machines (chrony, ntp)")
	case skew > skewWarn:
		d.warn("clock", found, "synchronise the clocks of the machines (chrony, ntp)")
	default:
		d.ok("clock", "agrees with the store's")
	}
}

// checkpoints checks that the folder can be written to. It makes none.
func (d *doctor) checkpoints(context.Context) {
	url := d.Program.Project.Checkpoints.URL
	path, isFile := strings.CutPrefix(url, "file://")
	if !isFile {
		d.ok("checkpoints "+url, "not checked: only folders are")
		return
	}
	name := "checkpoints " + path
	at := path
	for { // the nearest folder that is there is where the others would be made
		info, err := os.Stat(at)
		if err == nil && !info.IsDir() {
			d.fail(name, at+" is no folder", "set checkpoints.url to a folder")
			return
		}
		if err == nil {
			break
		}
		parent := filepath.Dir(at)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) || parent == at {
			d.fail(name, err.Error(), "set checkpoints.url to a folder that can be written to")
			return
		}
		at = parent
	}
	f, err := os.CreateTemp(at, ".freshet-doctor-*")
	if err != nil {
		d.fail(name, "cannot be written to: "+err.Error(), "give this user the right to write to "+at+", or set checkpoints.url to another folder")
		return
	}
	f.Close()
	os.Remove(f.Name())
	d.ok(name, "can be written to")
}

// ports checks that the servers could listen, or that a service of Freshet already does.
func (d *doctor) ports(ctx context.Context) {
	s := &d.Program.Project.Serving
	for _, p := range []struct{ setting, address string }{{"serving.grpc", s.GRPC}, {"serving.http", s.HTTP}} {
		if p.address == "off" {
			continue
		}
		l, err := serving.Listen(p.address, p.setting)
		switch {
		case err == nil:
			l.Close()
			d.ok("port "+p.address, "free")
		case d.running(ctx):
			d.ok("port "+p.address, "this project is running")
		default:
			d.fail("port "+p.address, err.Error(), "")
		}
	}
}

// running reports whether this project answers at its gRPC address.
func (d *doctor) running(ctx context.Context) bool {
	s := &d.Program.Project.Serving
	o := client.Options{Timeout: time.Second}
	tokens, err := s.AllTokens()
	for i := range tokens {
		if text, err := tokens[i].Token.Current(); err == nil && !strings.HasPrefix(text, "sha256:") {
			o.Token = text // every token may ask for the status
			break
		}
	}
	if err == nil && s.TLS != nil {
		o.TLS, err = connect.OwnServer(s.TLS)
	}
	if err != nil {
		return false
	}
	cl, err := client.Dial(s.GRPC, o)
	if err != nil {
		return false
	}
	defer cl.Close()
	status, err := cl.Status(ctx, &freshetv1.StatusRequest{})
	return err == nil && status.GetProject() == d.Program.Project.Name
}
