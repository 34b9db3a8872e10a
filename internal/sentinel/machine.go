package sentinel

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/alibaba/sentinel-golang/core/system_metric"
)

// How often the machine is looked at, and how far two looks may lie apart to
// tell what it is doing now.
const (
	sampleEvery = time.Second
	sampleStale = 5 * time.Second
)

// machine is how busy the machine is. It is looked at when calls come: nothing
// runs in the background. (Sentinel's collectors cannot be stopped, and its
// CpuUsage is a percentage where its rules have shares.)
type machine struct {
	readLoad func() (float64, error)
	readCPU  func() (time.Duration, error)

	at   time.Time
	used time.Duration
	load float64 // the last minute's load average
	cpu  float64 // share of the CPUs that this process may use
}

// sample looks at the machine if it is time, and reports whether it was.
func (m *machine) sample(now time.Time) bool {
	since := now.Sub(m.at)
	if since < sampleEvery {
		return false
	}
	if load, err := m.readLoad(); err == nil {
		m.load = load
	}
	used, err := m.readCPU()
	m.cpu = 0 // not known
	if err == nil && since < sampleStale {
		m.cpu = (used - m.used).Seconds() / since.Seconds() / float64(runtime.GOMAXPROCS(0))
	}
	m.at, m.used = now, used
	return true
}

// readLoad is the load average of the last minute.
func readLoad() (float64, error) {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(data), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/loadavg: %w", err)
	}
	return load, nil
}

// tellMemory gives Sentinel the memory that the process uses, for flow rules
// that look at it.
func tellMemory() {
	if used, err := system_metric.GetProcessMemoryStat(); err == nil {
		system_metric.SetSystemMemoryUsage(used)
	}
}
