package chaos

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// command is one command of an append-only file: where it lies in the file, and its first word.
type command struct {
	begin, end int
	name       string
}

// commands reads the whole commands of an append-only file; what is torn at its end is left out.
func commands(b []byte) (list []command) {
	for at := 0; at < len(b); {
		if b[at] == '#' { // a remark
			n := bytes.IndexByte(b[at:], '\n')
			if n < 0 {
				return list
			}
			at += n + 1
			continue
		}
		c := command{begin: at}
		words, next, ok := number(b, at, '*')
		for i := 0; ok && i < words; i++ {
			var size int
			if size, next, ok = number(b, next, '$'); !ok || next+size+2 > len(b) {
				return list
			}
			if i == 0 {
				c.name = string(bytes.ToUpper(b[next : next+size]))
			}
			next += size + 2
		}
		if !ok {
			return list
		}
		c.end, at = next, next
		list = append(list, c)
	}
	return list
}

func number(b []byte, at int, kind byte) (n, next int, ok bool) {
	if at >= len(b) || b[at] != kind {
		return 0, 0, false
	}
	end := bytes.Index(b[at:], []byte("\r\n"))
	if end < 0 {
		return 0, 0, false
	}
	n, err := strconv.Atoi(string(b[at+1 : at+end]))
	return n, at + end + 2, err == nil
}

// aof is the newest append-only file of the store.
func (f *fleet) aof() string {
	files, err := filepath.Glob(filepath.Join(f.redis.Load().Dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) == 0 {
		f.t.Fatalf("append-only files: %v, %v", files, err)
	}
	newest, at := "", time.Time{}
	for _, name := range files {
		if st, err := os.Stat(name); err == nil && !st.ModTime().Before(at) {
			newest, at = name, st.ModTime()
		}
	}
	return newest
}

// history remembers how long the append-only file was.
type history struct {
	mu   sync.Mutex
	file string
	seen []length
}

type length struct {
	at   time.Time
	size int64
}

// look notes the length now.
func (h *history) look(file string) {
	st, err := os.Stat(file)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file != file {
		h.file, h.seen = file, nil
	}
	h.seen = append(h.seen, length{time.Now(), st.Size()})
	if len(h.seen) > 200 {
		h.seen = append(h.seen[:0], h.seen[100:]...)
	}
}

// before is how long the file was so long ago; its least known length when it is younger.
func (h *history) before(file string, d time.Duration) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file != file || len(h.seen) == 0 {
		return 0
	}
	size := h.seen[0].size
	for _, l := range h.seen {
		if time.Since(l.at) >= d {
			size = l.size
		}
	}
	return size
}

// lose cuts a dead store's file to what it held a second ago, at the end of a command that is in no transaction.
func (f *fleet) lose() {
	file := f.aof()
	f.cutAt(file, func(list []command) int {
		limit, at, open := int(f.history.before(file, time.Second)), 0, false
		for _, c := range list {
			switch c.name {
			case "MULTI":
				open = true
			case "EXEC":
				open = false
			}
			if c.end <= limit && !open {
				at = c.end
			}
		}
		return at
	})
}

// tear cuts a dead store's file in the middle of a command, in a transaction if there is one: behind its first writes, within its last.
func (f *fleet) tear() {
	f.cutAt(f.aof(), func(list []command) int {
		for i := len(list) - 1; i > 2; i-- {
			if list[i].name == "EXEC" && list[i-2].name != "MULTI" { // several writes
				return list[i-1].begin + 5
			}
		}
		back := 1 + f.draw.IntN(min(20, max(1, len(list)-1)))
		c := list[len(list)-min(back, len(list))]
		return c.begin + 1 + f.draw.IntN(c.end-c.begin-1)
	})
}

// keepOne cuts a dead store's file behind the first transaction that ends beyond from, or the first command where there is none.
func (f *fleet) keepOne(from int64) {
	f.cutAt(f.aof(), func(list []command) int {
		first := 0
		for _, c := range list {
			if c.begin < int(from) {
				continue
			}
			if first == 0 {
				first = c.end
			}
			if c.name == "EXEC" {
				return c.end
			}
		}
		return first
	})
}

// cutAt shortens a file to where of its commands says; 0: not at all.
func (f *fleet) cutAt(file string, where func(list []command) int) {
	f.t.Helper()
	b, err := os.ReadFile(file)
	f.ok(err)
	list := commands(b)
	if len(list) == 0 {
		return
	}
	if at := where(list); at > 0 && at < len(b) {
		f.note("the append-only file is cut from %d to %d bytes", len(b), at)
		f.ok(os.Truncate(file, int64(at)))
	}
}

func TestCommandsOfAnAppendOnlyFile(t *testing.T) {
	text := "#TS:1\r\n*1\r\n$5\r\nmulti\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\n*1\r\n$4\r\nEXEC\r\n"
	want := []command{{7, 22, "MULTI"}, {22, 50, "SET"}, {50, 64, "EXEC"}}
	for cut := range len(text) + 1 {
		got := commands([]byte(text[:cut]))
		n := 0
		for _, c := range want {
			if c.end <= cut {
				n++
			}
		}
		if len(got) != n {
			t.Fatalf("%d bytes: %v", cut, got)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%d bytes: command %d is %v, want %v", cut, i, got[i], want[i])
			}
		}
	}
}
