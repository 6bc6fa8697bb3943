package bench

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
)

// usage is what this process has used so far.
type usage struct {
	cpu   time.Duration
	gcs   uint32
	pause time.Duration
}

func useNow() usage {
	var ru unix.Rusage
	u := usage{}
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) == nil {
		u.cpu = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.gcs, u.pause = m.NumGC, time.Duration(m.PauseTotalNs)
	return u
}

// Environment describes this machine.
func Environment() report.Env {
	return report.Env{CPUs: runtime.NumCPU(), Load1: LoadAverage(), Go: runtime.Version(), Kernel: kernel()}
}

// LoadAverage returns the load of the last minute, 0 where it cannot be had.
func LoadAverage() float64 {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	load, _ := strconv.ParseFloat(first, 64) // 0 is right for a text we cannot read
	return load
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}
