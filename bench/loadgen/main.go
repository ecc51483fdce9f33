// loadgen publishes telemetry to an MQTT 3.1.1 broker on this machine with QoS 1 and measures what comes back:
// acknowledgements, and the detections that its breaches lead to. Every loop is bounded by -n and -maxsec.
// Each asset belongs to one connection and its timestamps rise strictly, as those of a real machine do.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

var (
	addr     = flag.String("addr", "127.0.0.1:1883", "broker")
	conns    = flag.Int("conns", 20, "publishing connections")
	assets   = flag.Int("assets", 100, "assets, a multiple of -conns")
	rate     = flag.Float64("rate", 0, "messages a second over all connections (0: as fast as acknowledged)")
	inflight = flag.Int("inflight", 2000, "messages that may wait for their acknowledgement, without -rate")
	total    = flag.Int("n", 100000, "messages")
	breach   = flag.Int("breach", 1000, "about one in so many messages breaches the limit (0: none)")
	maxsec   = flag.Float64("maxsec", 120, "publish no longer than this")
	quiet    = flag.Float64("quiet", 4, "give up waiting after so many seconds without progress")
)

const batch = 64 // messages in one write, at most

var start = time.Now()

func now() int64 { return int64(time.Since(start)) }

func fail(what string, err error) {
	fmt.Fprintln(os.Stderr, "loadgen:", what+":", err)
	os.Exit(1)
}

func length(b []byte, n int) []byte {
	for {
		d := byte(n & 127)
		n >>= 7
		if n > 0 {
			d |= 128
		}
		b = append(b, d)
		if n == 0 {
			return b
		}
	}
}

func text(b []byte, s string) []byte {
	b = append(b, byte(len(s)>>8), byte(len(s)))
	return append(b, s...)
}

func dial(id string) (net.Conn, *bufio.Reader) {
	c, err := net.DialTimeout("tcp", *addr, 5*time.Second)
	if err != nil {
		fail("connect", err)
	}
	v := text(nil, "MQTT")
	v = append(v, 4, 2, 0, 0) // level 4, clean session, no keep-alive
	v = text(v, id)
	if _, err = c.Write(append(length([]byte{0x10}, len(v)), v...)); err != nil {
		fail("connect", err)
	}
	r := bufio.NewReaderSize(c, 65536)
	var h [4]byte
	if _, err = io.ReadFull(r, h[:]); err != nil {
		fail("connack", err)
	}
	if h[0] != 0x20 || h[3] != 0 {
		fail("connack", fmt.Errorf("refused: % x", h))
	}
	return c, r
}

func packet(r *bufio.Reader, buf []byte) (byte, []byte, error) {
	kind, err := r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n, shift := 0, 0
	for {
		d, err := r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		n |= int(d&127) << shift
		if d&128 == 0 {
			break
		}
		shift += 7
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	_, err = io.ReadFull(r, buf[:n])
	return kind, buf[:n], err
}

// ---- detections ----

type moment struct {
	asset string
	at    int64
}

var (
	breachMu sync.Mutex
	breaches = map[moment]int64{} // intended time of sending, until its detection came
	injected int64
	alerts   []int64
	other    int64
)

func subscribe(topic string) {
	c, r := dial("loadgen-alerts")
	v := text([]byte{0, 1}, topic)
	v = append(v, 0)
	if _, err := c.Write(append(length([]byte{0x82}, len(v)), v...)); err != nil {
		fail("subscribe", err)
	}
	if kind, _, err := packet(r, nil); err != nil || kind>>4 != 9 {
		fail("suback", err)
	}
	go func() {
		for {
			kind, b, err := packet(r, nil)
			if err != nil {
				return
			}
			if kind>>4 != 3 {
				continue
			}
			seen := now()
			var d struct {
				Kind, Asset, Rule string
				AtMs              int64
			}
			skip := 2 + int(binary.BigEndian.Uint16(b))
			if json.Unmarshal(b[skip:], &d) != nil || d.Kind != "opened" || d.Rule != "temperature-high" {
				other++
				continue
			}
			breachMu.Lock()
			if sent, ok := breaches[moment{d.Asset, d.AtMs}]; ok {
				delete(breaches, moment{d.Asset, d.AtMs})
				alerts = append(alerts, seen-sent)
			}
			breachMu.Unlock()
		}
	}()
}

// ---- publishers ----

type publisher struct {
	c      net.Conn
	r      *bufio.Reader
	mu     sync.Mutex
	free   *sync.Cond
	out    int // not acknowledged yet
	window int
	id     uint16
	sentAt [65536]int64 // by packet id
	acks   []int64
	dead   error
	rng    *rand.Rand
	own    []asset
	next   int
}

type asset struct {
	name   string
	topic  string
	lastMs int64
	hours  float64
}

var sites = []string{"north", "south", "east", "west"}
var sent, acked int64

func (p *publisher) message(b []byte, intended int64) []byte {
	a := &p.own[p.next%len(p.own)]
	p.next++
	a.hours += 0.001
	ms := time.Now().UnixMilli()
	if ms <= a.lastMs {
		ms = a.lastMs + 1
	}
	a.lastMs = ms
	var scratch [256]byte
	y := append(scratch[:0], `{"ts":`...)
	y = strconv.AppendInt(y, ms, 10)
	y = append(y, `,"temperature":`...)
	if *breach > 0 && p.rng.Intn(*breach) == 0 {
		y = append(y, "200"...)
		breachMu.Lock()
		breaches[moment{a.name, ms}] = intended
		injected++
		breachMu.Unlock()
	} else {
		y = strconv.AppendFloat(y, 60+p.rng.Float64()*10, 'f', 2, 64)
	}
	y = append(y, `,"vibration":`...)
	y = strconv.AppendFloat(y, 2+p.rng.Float64(), 'f', 3, 64)
	y = append(y, `,"pressure":`...)
	y = strconv.AppendFloat(y, 5+p.rng.Float64(), 'f', 3, 64)
	y = append(y, `,"current":`...)
	y = strconv.AppendFloat(y, 12+p.rng.Float64()*2, 'f', 2, 64)
	y = append(y, `,"run_hours":`...)
	y = strconv.AppendFloat(y, 1000+a.hours, 'f', 3, 64)
	y = append(y, '}')
	b = length(append(b, 0x32), 2+len(a.topic)+2+len(y))
	b = text(b, a.topic)
	p.id++
	if p.id == 0 {
		p.id = 1
	}
	p.sentAt[p.id] = intended
	b = append(b, byte(p.id>>8), byte(p.id))
	return append(b, y...)
}

func (p *publisher) read() {
	buf := make([]byte, 256)
	for {
		kind, b, err := packet(p.r, buf)
		seen := now()
		p.mu.Lock()
		if err != nil {
			p.dead = err
			p.free.Broadcast()
			p.mu.Unlock()
			return
		}
		if kind>>4 == 4 {
			p.acks = append(p.acks, seen-p.sentAt[binary.BigEndian.Uint16(b)])
			p.out--
			atomic.AddInt64(&acked, 1)
			p.free.Signal()
		}
		p.mu.Unlock()
	}
}

// takes up to k places in the window; 0 when the connection is gone
func (p *publisher) places(k int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.out >= p.window && p.dead == nil {
		p.free.Wait()
	}
	if p.dead != nil {
		return 0
	}
	k = min(k, p.window-p.out)
	p.out += k
	return k
}

// publishes `quota` messages; with a rate, message m is due at (m*conns+ci)/rate and its latency counts from then
func (p *publisher) publish(ci, quota int) {
	begun := time.Now()
	begunNs := now()
	deadline := begun.Add(time.Duration(*maxsec * float64(time.Second)))
	var buf []byte
	step := float64(*conns) / *rate * 1e9
	for m := 0; m < quota && time.Now().Before(deadline); {
		due := quota
		if *rate > 0 {
			elapsed := float64(time.Since(begun)) - float64(ci)/(*rate)*1e9
			due = min(quota, int(elapsed/step)+1)
			if elapsed < 0 || due <= m {
				time.Sleep(time.Millisecond)
				continue
			}
		}
		k := p.places(min(due-m, batch))
		if k == 0 {
			return
		}
		buf = buf[:0]
		p.mu.Lock()
		for j := 0; j < k; j++ {
			intended := now()
			if *rate > 0 {
				intended = begunNs + int64(float64(ci)/(*rate)*1e9+float64(m+j)*step)
			}
			buf = p.message(buf, intended)
		}
		p.mu.Unlock()
		m += k
		atomic.AddInt64(&sent, int64(k))
		if _, err := p.c.Write(buf); err != nil {
			return
		}
	}
}

// waits until `done`, or until nothing has moved for -quiet seconds
func await(progress func() (int, bool)) {
	last, moved := -1, time.Now()
	for {
		n, done := progress()
		if done {
			return
		}
		if n != last {
			last, moved = n, time.Now()
		} else if time.Since(moved) > time.Duration(*quiet*float64(time.Second)) {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func percentile(sorted []int64, q float64) float64 {
	if len(sorted) == 0 {
		return -1
	}
	return float64(sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]) / 1e6
}

func main() {
	flag.Parse()
	if *breach > 0 {
		subscribe("v1/+/+/detections")
	}
	publishers := make([]*publisher, *conns)
	for ci := range publishers {
		c, r := dial(fmt.Sprintf("loadgen-%d", ci))
		p := &publisher{c: c, r: r, rng: rand.New(rand.NewSource(int64(ci))), window: max(1, *inflight / *conns)}
		if *rate > 0 {
			p.window = 60000
		}
		p.free = sync.NewCond(&p.mu)
		for a := ci; a < *assets; a += *conns {
			name := fmt.Sprintf("asset-%d", a)
			p.own = append(p.own, asset{name: name, topic: "plant/" + sites[a%4] + "/" + name + "/telemetry"})
		}
		publishers[ci] = p
		go p.read()
	}
	begun := now()
	var wg sync.WaitGroup
	for ci, p := range publishers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			p.publish(ci, (*total+*conns-1-ci) / *conns)
		}()
	}
	wg.Wait()
	await(func() (int, bool) {
		n := atomic.LoadInt64(&acked)
		return int(n), n >= atomic.LoadInt64(&sent)
	})
	seconds := float64(now()-begun) / 1e9
	await(func() (int, bool) {
		breachMu.Lock()
		defer breachMu.Unlock()
		return len(alerts), len(breaches) == 0
	})
	var acks []int64
	for _, p := range publishers {
		p.mu.Lock()
		acks = append(acks, p.acks...)
		if p.dead != nil {
			fmt.Fprintln(os.Stderr, "loadgen: a connection was lost:", p.dead)
		}
		p.mu.Unlock()
	}
	sort.Slice(acks, func(i, j int) bool { return acks[i] < acks[j] })
	breachMu.Lock()
	defer breachMu.Unlock()
	sort.Slice(alerts, func(i, j int) bool { return alerts[i] < alerts[j] })
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"sent": sent, "acked": len(acks), "seconds": seconds, "rate": float64(len(acks)) / seconds,
		"ackP50": percentile(acks, .5), "ackP99": percentile(acks, .99), "ackMax": percentile(acks, 1),
		"breaches": injected, "alerts": len(alerts),
		"alertP50": percentile(alerts, .5), "alertP99": percentile(alerts, .99), "alertMax": percentile(alerts, 1),
	})
}
